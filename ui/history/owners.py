"""Whose history a request asks for: the person who was authenticated, else the browser, by a key that its cookie holds.

A cookie that scripts cannot read (HttpOnly), not the browser's localStorage: whatever script gets into the page, a key there could be read
and carried away, and it would stand in the addresses of recordings and downloads, and with them in logs. ``SameSite=Strict`` keeps
it from other sites. It is set on answers to the page's own script alone, which every browser sends its cookies with: the page itself,
opened by a link on another site, is asked for without them, and would replace the key. The database knows the key by its digest.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Annotated

from fastapi import Depends, Request, Response

from ui.http.callers import CALLER

COOKIE = "lightvoice-history"
#: Browsers keep no cookie longer.
COOKIE_S = 400 * 86_400
_KEY = re.compile(r"[0-9a-f]{64}")
_PERSON = "person:"


def owner_of(request: Request, response: Response) -> str:
    """The owner's name in the database; a browser without a key gets one with the answer."""
    caller = request.scope.get(CALLER)
    if caller:
        return str(caller)
    key = request.cookies.get(COOKIE, "")
    if not _KEY.fullmatch(key):
        key = secrets.token_hex(32)
    # Set anew with each answer: it is kept for as long as the page is used.
    response.set_cookie(
        COOKIE,
        key,
        max_age=COOKIE_S,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return f"browser:{hashlib.sha256(key.encode()).hexdigest()}"


def person_of(owner: str) -> str | None:
    """The name of a person who was authenticated; None for a browser or a program."""
    return owner.removeprefix(_PERSON) if owner.startswith(_PERSON) else None


Owner = Annotated[str, Depends(owner_of)]
