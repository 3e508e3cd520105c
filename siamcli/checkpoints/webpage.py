"""Recognizes a web page that a server sent in place of a file, as Google Drive does for large files."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

__all__ = ["drive_download_url", "looks_like_page", "page_title"]


def looks_like_page(start: bytes) -> bool:
    """True if an answer that begins with these bytes is HTML; no weights file starts with <."""
    return start.lstrip().startswith(b"<")


def drive_download_url(page: str, url: str) -> str | None:
    """The address to which Drive's "download anyway" form leads; None if the page has no such form."""
    reader = _Reader()
    reader.feed(page)
    if reader.action is None:
        return None
    action = urljoin(url, reader.action)
    separator = "&" if "?" in action else "?"
    return action + separator + urlencode(reader.inputs) if reader.inputs else action


def page_title(page: str) -> str:
    """The title of the page."""
    reader = _Reader()
    reader.feed(page)
    return " ".join(reader.title.split())


class _Reader(HTMLParser):
    """Collects the title, and the form that Drive calls download-form."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.action: str | None = None
        self.inputs: dict[str, str] = {}
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "form":
            self._inside = "form" if values.get("id") == "download-form" else ""
            if self._inside:
                self.action = values.get("action", "")
        elif tag == "title":
            self._inside = "title"
        elif tag == "input" and self._inside == "form" and values.get("name"):
            self.inputs[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
