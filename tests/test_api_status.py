"""The language of the reader: what Accept-Language says, in JSON as on the desk."""

import pytest
from flask import Flask

from app.api.status import language
from tests import face as faces
from tests.face import Face

face = faces.face


@pytest.mark.parametrize(
    ("header", "preferred"),
    [
        ("tr-TR,en;q=0.5", "tr"),
        ("en-US,tr;q=0.8", "en"),
        ("tr-TR,tr;q=0.9,en-US;q=0.8,en;q=0.7", "tr"),
        ("en-GB;q=0.4,tr-CY;q=0.3,en;q=0.1", "en"),
        ("EN-us;q=0.2,TR;q=0.1", "en"),
        ("de-DE,fr;q=0.9,en;q=0.1", "en"),
        ("en;q=0.5,tr;q=0.5", "en"),
        ("tr,en", "tr"),
        ("en;q=0,tr;q=0.1", "tr"),
        ("tr;q=0,en;q=0.1", "en"),
    ],
)
@pytest.mark.parametrize("default", ["tr", "en"])
def test_the_better_quality_wins_and_a_region_counts_as_its_language(header: str, preferred: str, default: str) -> None:
    with Flask("any").test_request_context(headers={"Accept-Language": header}):
        assert language(default) == preferred


@pytest.mark.parametrize(
    ("header", "default", "preferred"),
    [
        ("", "tr", "tr"),
        ("de", "en", "en"),
        ("*", "en", "en"),
        ("de,*;q=0.5", "tr", "tr"),
        ("en;q=0.5,*", "tr", "tr"),
        ("en,*;q=0.5", "tr", "en"),
        ("tr;q=0", "tr", "en"),
        ("tr;q=0,*", "tr", "en"),
        ("tr;q=0,en;q=0", "en", "en"),
        ("*;q=0", "tr", "tr"),
        ("en;q=x,,;q=1, -,tr_TR;q=0.1", "en", "tr"),
    ],
)
def test_an_asterisk_means_the_default_and_what_is_refused_is_not_spoken(
    header: str, default: str, preferred: str
) -> None:
    with Flask("any").test_request_context(headers={"Accept-Language": header}):
        assert language(default) == preferred


def test_the_desk_and_the_api_judge_alike(face: Face) -> None:
    for header, lang, waiting in (("tr-TR,en;q=0.5", "tr", "Bekliyor..."), ("en-US,tr;q=0.8", "en", "Waiting...")):
        asked = {"Accept-Language": header}
        assert f'<html lang="{lang}">' in face.client.get("/login", headers=asked).text
        assert face.ayse.status(face.ayse.enqueue("add", a=1), headers=asked)["status"] == waiting
