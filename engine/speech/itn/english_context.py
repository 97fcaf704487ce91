"""English words that tell by their place beside number words what those are: units, months, ordinals, what comes before a year."""

from __future__ import annotations

from engine.speech.itn.english_numerals import SCALES, TENS

UNITS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9}
SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
TEENTHS = {
    "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
    "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
ORDINALS = {
    *UNITS, *TEENTHS, "tenth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth",
    *(f"{scale}th" for scale in SCALES),
}  # fmt: skip
#: "two thirds", "nine tenths"; but "thirty seconds" are a time.
FRACTIONS = ORDINALS | {f"{word}s" for word in ORDINALS if word != "second"} | {"half", "halves", "niners"}
PLURAL_SCALES = {f"{scale}s" for scale in SCALES}
DECADES = {f"{word.removesuffix('y')}ies": value for word, value in TENS.items()} | {"tens": 10}
MONTHS = {
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
}  # fmt: skip
#: After one of these an ordinal is one: "twenty first century".
AFTER_ORDINAL = {"century", "birthday", "anniversary", "floor", "street", "avenue", "amendment"}
#: What has a number that is read in pieces: "room three twelve" is 312.
NUMBERED = {"room", "flight", "route", "highway", "interstate", "boeing", "extension", "apartment", "suite", "gate", "bus"}
#: Units before which a single digit is a number too.
MEASURES = {
    "dollar", "dollars", "euro", "euros", "pound", "pounds", "yuan", "yen", "degree", "degrees", "kilo", "kilos",
    "kilometer", "kilometers", "kilometre", "kilometres", "meter", "meters", "metre", "metres",
    "centimeter", "centimeters", "centimetre", "centimetres", "millimeter", "millimeters", "millimetre", "millimetres",
    "kilogram", "kilograms", "gram", "grams", "liter", "liters", "litre", "litres",
}  # fmt: skip
#: What is counted after an estimate: "twenty twenty five people".
COUNTED = MEASURES | {
    "people", "guys", "kids", "students", "minutes", "hours", "days", "weeks", "months", "years", "year", "times", "percent",
    "of", "or", "so",
}  # fmt: skip
BEFORE_YEAR = MONTHS | {"in", "since", "year", "until", "till", "by", "of", "early", "late", "mid", "before", "after", "during", "circa"}
BEFORE_PRICE = {"for", "cost", "costs", "paid", "pay", "pays", "price", "priced", "only", "just", "at", "spent", "spend", "worth"}
#: Before these "one point" is a noun: "at one point five people left".
BEFORE_NOUN_POINT = {"at", "make", "made", "makes", "that", "this", "each", "every", "to", "no"}
