"""Every error LightVoice raises on purpose.

::

    LightVoiceError
    ├── AudioError (ValueError)               the recording
    │   ├── AudioNotFoundError (FileNotFoundError)
    │   ├── AudioDecodeError                  not audio, truncated, or lying about itself
    │   │   ├── DecoderCrashedError           the library that read it crashed, in a process of its own
    │   │   └── DecoderLimitError             reading it took more time or memory than a recording needs
    │   ├── UnknownTrackError               an audio track that the recording does not hold
    │   ├── OnlyWavError                      another format, where WAV alone is read
    │   ├── EmptyAudioError                   no samples at all
    │   ├── NonFiniteAudioError               NaN or infinity among the samples
    │   ├── SampleRateError                   a rate no speech can be read from
    │   └── AudioTooLongError                 longer than the limit in force
    ├── OptionError (ValueError)              something a person chose
    │   ├── UnknownLanguageError
    │   ├── UnknownPrecisionError
    │   │   └── FullPrecisionMissingError
    │   ├── UnknownFormatError
    │   ├── UnknownBundleError
    │   ├── UnknownChannelError               none of auto, mix, left, right and split
    │   ├── OptionChoiceError                 a value that is none of those of its option
    │   ├── OptionRangeError                  a number outside its range
    │   │   └── HotwordWeightError            that of a hotword
    │   ├── TooManyHotwordsError              more phrases than a request may have
    │   ├── HotwordTooLongError               a phrase that is no name any more
    │   ├── HotwordControlCharacterError      a control character in a phrase
    │   ├── HotwordsFileError                 a file of phrases that cannot be read
    │   └── PortUnavailableError (OSError)    the page cannot listen where it was told to
    ├── TooManyStreamsError                   no place for one more live stream
    ├── DecoderUnavailableError               no process can be started to decode in
    ├── StorageFullError                      no room for what a person sends
    ├── OutputError                           a result that cannot be written
    ├── ClusterError                          many machines (engine.cluster)
    │   ├── SourceError                       a folder, manifest, bucket or output that cannot be read or written
    │   ├── WorkerBundleError                 no machine has the bundle that the job asks for, or this one has another
    │   ├── RayMissingError                   the optional packages are not installed
    │   ├── EngineBusyError                   a served engine that has no place for one more request
    │   ├── EngineUnreachableError            a served engine that does not answer
    │   └── NotOfferedError                   what a served engine does not do
    ├── BundleError                           a folder of weights
    │   ├── BundleFormatError (ValueError)    bundle.json, tokens or CMVN cannot be read
    │   ├── BundleFileMissingError (FileNotFoundError)
    │   ├── BundleTamperedError               size or sha256 differs from bundle.json
    │   └── CmvnShapeError (ValueError)       CMVN of another length than the features
    └── SessionError (RuntimeError)           a model while it is opened or run
        ├── ProviderUnavailableError          the asked device is not there, or cannot run this precision
        ├── GraphContractError                inputs, outputs or metadata are not those of design
        └── NotQuantizedError                 an INT8 file whose MatMuls stayed float

Each message is one line: it names the value and the remedy. Callers that talk to a person print
``str(error)``; nothing else needs to be added.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path, PurePath
from typing import Any, Self


class LightVoiceError(Exception):
    """Base of all errors raised on purpose; the message is meant for a person.

    ``values`` are what the message was made of, by name, for its translations.
    """

    values: dict[str, Any]

    def __new__(cls, *args: object, **values: object) -> Self:
        """Keep the values beside the message that the class makes of them."""
        maker = OSError if issubclass(cls, OSError) else Exception  # Python asks for the base that lays out the object
        error = maker.__new__(cls, *args)
        error.values = dict(values)
        return error

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.args = args  # an OSError that is made by another ``__new__`` than its own keeps none, and could not be printed

    def __str__(self) -> str:  # an OSError would print errno fields
        return " ".join(map(str, self.args))

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy: Ray sends errors from one process to another, and a constructor with keywords cannot be called anew."""
        return (
            _made_again,
            (type(self), self.args),
            {**self.__dict__, "values": {name: _plain(value) for name, value in self.values.items()}},
        )


def first_line(error: BaseException) -> str:
    """The first line of what an error says; the name of its class where it says nothing, as an OSError without arguments does."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _plain(value: Any) -> Any:
    """A value as another process can have it: the keys of a dictionary, say, cannot be sent, what they are can."""
    if value is None or isinstance(value, int | float | str | PurePath):
        return value
    return tuple(str(one) for one in value) if isinstance(value, Iterable) else str(value)


def _made_again(kind: type[LightVoiceError], args: tuple[object, ...]) -> LightVoiceError:
    """An error with the message that it had, past its constructor, which would make another one."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class AudioError(LightVoiceError, ValueError):
    """The recording cannot be used."""


class AudioNotFoundError(AudioError, FileNotFoundError):
    """No file at this path."""

    def __init__(self, *, path: str | Path) -> None:
        super().__init__(f"no such file: {path}; check the path")


class AudioDecodeError(AudioError):
    """The bytes are not audio that can be decoded."""

    def __init__(self, *, path: str | Path, reason: str) -> None:
        super().__init__(f"cannot read {Path(path).name} as audio ({reason}); convert it to WAV, MP3, FLAC or OGG and try again")


class DecoderCrashedError(AudioDecodeError):
    """The library that read the recording crashed; the process in which it did so was its own."""

    def __init__(self, *, path: str | Path, how: str) -> None:
        super().__init__(path=path, reason=f"the decoder crashed on it, {how}, and was restarted")


class DecoderLimitError(AudioDecodeError):
    """Reading the recording took more than the limits in force allow."""

    def __init__(self, *, path: str | Path, limit: str) -> None:
        super().__init__(path=path, reason=f"decoding it took {limit} and was stopped")


class UnknownTrackError(AudioError):
    """An audio track that the recording does not hold."""

    def __init__(self, *, path: str | Path, track: int, count: int) -> None:
        super().__init__(
            f"there is no audio track {track} in {Path(path).name}, whose last one is {count}; choose one up to that, "
            "or none for the default track"
        )


class OnlyWavError(AudioError):
    """Another format than WAV, on a server that was started to read nothing else."""

    def __init__(self, *, path: str | Path) -> None:
        name = Path(path).name
        super().__init__(f"{name} is no WAV file, and the slim page reads nothing else; convert it, or start the server without --slim")


class EmptyAudioError(AudioError):
    """The recording holds no samples."""

    def __init__(self, *, path: str | Path) -> None:
        super().__init__(f"{Path(path).name} holds no audio samples; record or choose another file")


class NonFiniteAudioError(AudioError):
    """NaN or infinity among the samples."""

    def __init__(self, *, path: str | Path, count: int) -> None:
        super().__init__(f"{Path(path).name} holds {count} samples that are not numbers (NaN or infinity); export it again")


class SampleRateError(AudioError):
    """A sample rate outside what speech can be read from."""

    def __init__(self, *, path: str | Path, sample_rate: int, lowest: int, highest: int) -> None:
        super().__init__(
            f"{Path(path).name} has a sample rate of {sample_rate} Hz; rates from {lowest} to {highest} Hz are read: resample it"
        )


class AudioTooLongError(AudioError):
    """Longer than the limit in force."""

    def __init__(self, *, path: str | Path, duration_s: float, limit_s: float) -> None:
        super().__init__(f"{Path(path).name} lasts {duration_s:.0f} s or more; the limit is {limit_s:.0f} s, so split the recording")


class OptionError(LightVoiceError, ValueError):
    """A value a person chose is not one of those on offer."""


def listed(value: Any) -> Any:
    """Several values as a message has them, one after the other; anything else as it is."""
    return value if isinstance(value, str) or not isinstance(value, Iterable) else ", ".join(map(str, value))


class UnknownLanguageError(OptionError):
    """A language code that no prompt exists for."""

    def __init__(self, *, language: object, known: Iterable[str]) -> None:
        super().__init__(f"unknown language {language!r}; choose one of {listed(known)}")


class UnknownPrecisionError(OptionError):
    """A precision (variant) this bundle does not hold."""

    def __init__(self, *, precision: object, known: Iterable[str]) -> None:
        super().__init__(f"unknown precision {precision!r}; this bundle holds {listed(known)}")

    @classmethod
    def of(cls, precision: object, known: Collection[str]) -> UnknownPrecisionError:
        """The error for a precision that is not among ``known``: FP32 can be fetched for a bundle that came in INT8 alone."""
        kind = FullPrecisionMissingError if precision == "fp32" and "int8" in known else cls
        return kind(precision=precision, known=known)


class FullPrecisionMissingError(UnknownPrecisionError):
    """FP32, of a bundle that came without."""

    def __init__(self, *, precision: object, known: Iterable[str]) -> None:
        OptionError.__init__(
            self,
            f"this bundle holds {listed(known)} and no {precision}; fetch it on the Models tab, or with "
            "`./run.sh models fetch sensevoice-small --edition fp32`",
        )


class UnknownFormatError(OptionError):
    """An output format that is not written."""

    def __init__(self, *, output_format: object, known: Iterable[str]) -> None:
        super().__init__(f"unknown format {output_format!r}; choose one of {listed(known)}")


class UnknownBundleError(OptionError):
    """No bundle by this name or at this path."""

    def __init__(self, *, bundle: object, known: Iterable[str]) -> None:
        super().__init__(f"no bundle {bundle!r}; give a folder that holds bundle.json, or one of {listed(known)}")


class UnknownChannelError(OptionError):
    """A way to take a recording's channels that there is not."""

    def __init__(self, *, channel: object, known: Iterable[str]) -> None:
        super().__init__(f"unknown channel {channel!r}; choose one of {listed(known)}")


class OptionChoiceError(OptionError):
    """A value that is none of those of its option."""

    def __init__(self, *, name: str, value: object, known: Iterable[str]) -> None:
        super().__init__(f"{name} is {value!r}; choose one of {listed(known)}")


class OptionRangeError(OptionError):
    """A number outside its range."""

    def __init__(self, *, name: str, value: object, lowest: float, highest: float) -> None:
        super().__init__(f"{name} is {value!r}; it must lie between {lowest:g} and {highest:g}")


class HotwordWeightError(OptionRangeError):
    """A hotword's weight outside its range."""

    def __init__(self, *, phrase: str, weight: float, lowest: float, highest: float) -> None:
        super().__init__(name=f"the weight of {phrase}", value=weight, lowest=lowest, highest=highest)


class TooManyHotwordsError(OptionError):
    """More hotwords than one request may have."""

    def __init__(self, *, count: int, most: int) -> None:
        super().__init__(f"{count} hotwords are more than the {most} that one request may have; keep those that this recording may hold")


class HotwordTooLongError(OptionError):
    """A hotword longer than any name."""

    def __init__(self, *, line: int, length: int, most: int) -> None:
        super().__init__(f"the hotword in line {line} has {length} characters, more than {most}; write one name or phrase a line")


class HotwordControlCharacterError(OptionError):
    """A control character, which no recognizer writes."""

    def __init__(self, *, line: int, code: str) -> None:
        super().__init__(f"the hotword in line {line} holds the control character {code}; remove it")


class HotwordsFileError(OptionError):
    """A file of hotwords that cannot be read."""

    def __init__(self, *, path: str | Path, reason: str) -> None:
        super().__init__(f"cannot read hotwords from {path} ({reason}); give a text file in UTF-8 with one phrase a line")


class PortUnavailableError(OptionError, OSError):
    """The page cannot listen on this address and port."""

    def __init__(self, *, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port} ({reason}); stop what uses it, or choose another with --host and --port")


class TooManyStreamsError(LightVoiceError):
    """As many live streams run as one server transcribes at once."""

    def __init__(self, *, running: int) -> None:
        super().__init__(f"{running} live transcriptions are running already; try again when one of them has stopped")


class DecoderUnavailableError(LightVoiceError):
    """The system starts no further process."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"no decoder can be started ({reason}); let the server start processes, or close other programs")


class StorageFullError(LightVoiceError):
    """The disk of the server, or what it sets aside for recordings, is full."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"the server has no room for this recording ({reason}); try again later, or free some space on its disk")


class OutputError(LightVoiceError):
    """A result cannot be written where it should go."""

    def __init__(self, *, path: str | Path, reason: str) -> None:
        super().__init__(
            f"cannot write {path} ({reason}); free some space or choose another place, then run it again: what is finished is kept"
        )


class ClusterError(LightVoiceError):
    """A cluster of machines, its storage, or the way to it."""


class SourceError(ClusterError):
    """A folder, a manifest, a bucket or an output folder that cannot be read or written."""

    def __init__(self, *, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}; check the path, and the rights and credentials of this machine and of every worker")


class WorkerBundleError(ClusterError):
    """No machine has the bundle that the job asks for, or this one has another of that name."""

    def __init__(self, *, expected: str, got: str) -> None:
        super().__init__(f"bundle {expected} is asked for, and here is {got}; install the same bundle on every worker")


class RayMissingError(ClusterError):
    """The optional packages are not installed."""

    def __init__(self, *, missing: str) -> None:
        super().__init__(f"{missing} is not installed; the cluster needs it: pip install -r requirements-cluster.txt")


class EngineBusyError(ClusterError):
    """A served engine that has no place for one more request."""

    def __init__(self, *, address: str, waited_s: float) -> None:
        super().__init__(f"the engine at {address} had no place in {waited_s:.0f} s; try again later, or allow it more replicas")


class EngineUnreachableError(ClusterError):
    """A served engine that does not answer."""

    def __init__(self, *, address: str, reason: str) -> None:
        super().__init__(f"the engine at {address} does not answer ({reason}); check the address, and that the cluster serves it")


class NotOfferedError(ClusterError):
    """What a served engine does not do."""

    def __init__(self, *, what: str, remedy: str) -> None:
        super().__init__(f"{what} is not offered by an engine on a cluster; {remedy}")


class BundleError(LightVoiceError):
    """A folder of weights cannot be used."""


class BundleFormatError(BundleError, ValueError):
    """A file of the bundle cannot be understood."""

    def __init__(self, *, path: str | Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; make the bundle again or install it again")


class BundleFileMissingError(BundleError, FileNotFoundError):
    """A file that bundle.json names is not there."""

    def __init__(self, *, path: str | Path) -> None:
        super().__init__(f"the bundle lacks {path}; install the bundle again")


class BundleTamperedError(BundleError):
    """Size or sha256 differs from bundle.json."""

    def __init__(self, *, path: str | Path, expected: str, got: str) -> None:
        super().__init__(f"{path} is not the file that bundle.json describes (expected {expected}, got {got}); install the bundle again")


class CmvnShapeError(BundleError, ValueError):
    """CMVN of another length than the features."""

    def __init__(self, *, path: str | Path, expected: int, got: int) -> None:
        super().__init__(f"{path} normalizes {got} features where {expected} are computed; take the am.mvn that belongs to this model")


class SessionError(LightVoiceError, RuntimeError):
    """A model cannot be opened or run."""


class ProviderUnavailableError(SessionError):
    """The asked device is missing, or cannot run this precision well."""

    def __init__(self, *, device: str, reason: str) -> None:
        super().__init__(f"device {device!r} cannot be used ({reason}); start with --device cpu")


class GraphContractError(SessionError):
    """Inputs, outputs or metadata of a graph are not those of the bundle format."""

    def __init__(self, *, path: str | Path, reason: str) -> None:
        super().__init__(f"{Path(path).name} does not keep the bundle contract: {reason}; export it again with `python -m models export`")


class NotQuantizedError(SessionError):
    """An INT8 file whose MatMuls stayed float."""

    def __init__(self, *, path: str | Path, integer: int, floating: int) -> None:
        super().__init__(
            f"{Path(path).name} is called INT8 but runs {floating} weight MatMuls in float and {integer} in integers; "
            "quantize it again with `python -m models quantize`"
        )
