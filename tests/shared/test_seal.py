"""Encryption of what Table Storage must not show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.services import Secrets
from shared.storage.seal import Seal

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@given(st.text(), st.text())
def test_what_was_sealed_opens_for_the_same_row(text: str, context: str) -> None:
    secrets: Secrets = Seal([NEW])
    assert secrets.open(secrets.seal(text, context), context) == text


def test_a_sealed_text_shows_nothing_and_is_another_each_time() -> None:
    first, second = Seal([NEW]).seal("canary-token", "row"), Seal([NEW]).seal("canary-token", "row")
    assert first != second
    assert "canary" not in first


def test_a_sealed_text_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(ConfigurationError, match="moved"):
        Seal([NEW]).open(Seal([NEW]).seal("token", "grants|ann|tokens"), "grants|bob|tokens")


def test_every_changed_character_is_found_out() -> None:
    sealed = Seal([NEW]).seal("token", "row")
    for place, character in enumerate(sealed):
        changed = sealed[:place] + ("A" if character != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(ConfigurationError):
            Seal([NEW]).open(changed, "row")


@pytest.mark.parametrize("text", ["", "v1", "v1.", "v1..", "v2.00000000.AAAA", "plain text", "v1.clé.€"])
def test_what_is_no_sealed_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Seal([NEW]).open(text, "row")


def test_the_newest_key_seals_and_the_old_one_still_opens() -> None:
    before = Seal([OLD]).seal("token", "row")
    rotated = Seal([NEW, OLD])
    assert rotated.open(before, "row") == "token"
    after = rotated.seal("token", "row")
    assert Seal([NEW]).open(after, "row") == "token"
    with pytest.raises(ConfigurationError, match="not in TOKEN_ENCRYPTION_KEYS"):
        Seal([OLD]).open(after, "row")


def test_resealing_moves_a_text_to_the_newest_key_and_leaves_it_there() -> None:
    before = Seal([OLD]).seal("token", "row")
    after = Seal([NEW, OLD]).reseal(before, "row")
    assert Seal([NEW]).open(after, "row") == "token"
    assert Seal([NEW, OLD]).reseal(after, "row") == after


def test_a_keyed_hash_is_the_same_for_the_same_text_and_purpose_only() -> None:
    seal = Seal([NEW])
    one = seal.keyed_hash("ann@example.com", "links")
    assert one == Seal([NEW]).keyed_hash("ann@example.com", "links")
    assert len({one, seal.keyed_hash("bob@example.com", "links"), seal.keyed_hash("ann@example.com", "other"),
                Seal([OLD]).keyed_hash("ann@example.com", "links")}) == 4  # fmt: skip


def test_a_keyed_hash_survives_the_rotation_of_keys() -> None:
    before = Seal([OLD]).keyed_hash("ann@example.com", "links")
    assert Seal([NEW, OLD]).is_hash_of(before, "ann@example.com", "links")
    assert not Seal([NEW, OLD]).is_hash_of(before, "bob@example.com", "links")
    assert not Seal([NEW]).is_hash_of(before, "ann@example.com", "links")
    assert not Seal([NEW]).is_hash_of("", "ann@example.com", "links")


@pytest.mark.parametrize("keys", [[], [b"too short"], [NEW, NEW + b"x"]])
def test_missing_or_wrong_keys_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(ConfigurationError, match="TOKEN_ENCRYPTION_KEYS"):
        Seal(keys)


def test_the_repr_of_a_seal_shows_no_key() -> None:
    assert NEW.hex() not in repr(Seal([NEW]))
    assert repr(NEW) not in repr(Seal([NEW]))
