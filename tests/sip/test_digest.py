from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.faults import fault

from callgate.errors import ProtocolError
from callgate.sip.digest import MAXIMUM_CHALLENGES, Challenge, Credentials, read_challenges, strongest

MUFASA_2617 = Credentials("Mufasa", "Circle Of Life")
MUFASA = Credentials("Mufasa", "Circle of Life")
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def parameters(value: str) -> dict[str, str]:
    assert value.startswith("Digest ")
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^," ]+))', value)}


def test_rfc_2617_section_3_5() -> None:
    challenge = read_challenges(
        [
            'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
            ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
        ]
    )[0]
    answer = parameters(challenge.answer(MUFASA_2617, "GET", "/dir/index.html", cnonce="0a4f113b"))
    assert answer == {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
        "response": "6629fae49393a05397450978507c4ef1",
        "opaque": "5ccc069c403ebaf9f0171e9517f40e41",
    }


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    challenge = Challenge("digest", "http-auth@example.org", NONCE, algorithm, ("auth", "auth-int"))
    answer = parameters(challenge.answer(MUFASA, "GET", "/dir/index.html", cnonce=CNONCE))
    assert (answer["response"], answer["algorithm"]) == (response, algorithm)


@pytest.mark.skipif("sha512_256" not in hashlib.algorithms_available, reason="this OpenSSL has no SHA-512/256")
def test_rfc_7616_section_3_9_2_as_its_erratum_4897_has_it() -> None:
    challenge = Challenge(
        "digest", "api@example.org", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", "SHA-512-256", ("auth",)
    )
    jason = Credentials("J\u00e4s\u00f8n Doe", "Secret, or not?")
    answer = challenge.answer(jason, "GET", "/doe.json", cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v")
    assert parameters(answer)["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


def test_without_qop_the_digest_is_that_of_rfc_2069() -> None:
    challenge = read_challenges(['Digest realm="r", nonce="n"'])[0]
    answer = parameters(challenge.answer(Credentials("u", "p"), "REGISTER", "sip:r"))
    assert answer["response"] == md5(md5("u", "r", "p"), "n", md5("REGISTER", "sip:r"))
    assert not {"qop", "nc", "cnonce", "algorithm", "opaque"} & answer.keys()


def test_session_variants_hash_the_nonces_into_the_secret() -> None:
    challenge = Challenge("digest", "r", "n", "MD5-sess", ("auth",))
    answer = parameters(challenge.answer(Credentials("u", "p"), "REGISTER", "sip:r", cnonce="c"))
    secret = md5(md5("u", "r", "p"), "n", "c")
    assert answer["response"] == md5(secret, "n", "00000001", "c", "auth", md5("REGISTER", "sip:r"))
    assert answer["algorithm"] == "MD5-sess"


def test_auth_int_alone_covers_the_body() -> None:
    challenge = Challenge("digest", "r", "n", None, ("auth-int",))
    answer = parameters(challenge.answer(Credentials("u", "p"), "INVITE", "sip:r", body=b"v=0", cnonce="c"))
    asked = md5("INVITE", "sip:r", md5("v=0"))
    assert answer["response"] == md5(md5("u", "r", "p"), "n", "00000001", "c", "auth-int", asked)


def test_the_count_is_eight_hexadecimal_digits_and_the_client_nonce_is_new() -> None:
    challenge = Challenge("digest", "r", "n", None, ("auth",))
    answers = [parameters(challenge.answer(Credentials("u", "p"), "A", "b", count=count)) for count in (1, 31)]
    assert [answer["nc"] for answer in answers] == ["00000001", "0000001f"]
    assert answers[0]["cnonce"] != answers[1]["cnonce"]


def test_the_strongest_of_several_is_answered() -> None:
    """The order of RFC 8760 section 2.4, and turned round."""
    values = [
        f'Digest realm="r", nonce="n", algorithm={name}' for name in ("SHA-512-256", "SHA-256", "MD5", "md5-sess")
    ]
    best = "SHA-512-256" if "sha512_256" in hashlib.algorithms_available else "SHA-256"
    for order in (values, values[::-1], [", ".join(values)]):
        chosen = strongest(read_challenges(order))
        assert chosen is not None
        assert chosen.algorithm == best


def test_the_first_of_equals_is_answered() -> None:
    chosen = strongest(read_challenges(['Digest realm="a", nonce="1"', 'Digest realm="b", nonce="2"']))
    assert chosen is not None
    assert chosen.realm == "a"


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="r"',
        "Negotiate",
        'Digest realm="r", nonce="n", algorithm=SHA-1',
        'Digest realm="r", nonce="n", algorithm=AKAv1-MD5',
        'Digest realm="r", nonce="n", qop="auth-conf"',
        'Digest realm="r"',
    ],
)
def test_what_is_not_known_is_not_answered(value: str) -> None:
    challenges = read_challenges([value])
    assert len(challenges) == 1
    assert strongest(challenges) is None
    with pytest.raises(ProtocolError, match="cannot answer"):
        challenges[0].answer(Credentials("u", "p"), "REGISTER", "sip:r")


def test_a_challenge_is_read_in_any_dress() -> None:
    read = read_challenges(
        ['DIGEST Realm = "a, \\"b\\"" , NONCE="n=1,2",Stale=TRUE, qop=auth ,domain="sip:a sip:b",x=y']
    )
    assert read == [
        Challenge("digest", r"a, \"b\"", "n=1,2", None, ("auth",), stale=True, domain="sip:a sip:b"),
    ]


def test_several_challenges_in_one_value_are_told_apart() -> None:
    read = read_challenges(['Basic realm="x", Digest realm="r", nonce="n", Negotiate'])
    assert [(each.scheme, each.realm) for each in read] == [("basic", "x"), ("digest", "r"), ("negotiate", "")]


@pytest.mark.parametrize("value", ['Digest realm="r', '="x"', 'Digest realm="r" nonce=\'', "\xff", "Digest a=b c=d"])
def test_a_malformed_challenge_is_named(value: str) -> None:
    with pytest.raises(ProtocolError, match="a challenge is not valid"):
        read_challenges([value])


def test_challenges_are_bounded() -> None:
    with pytest.raises(ProtocolError, match="more than 8 challenges"):
        read_challenges((MAXIMUM_CHALLENGES + 1) * ['Digest realm="r", nonce="n"'])
    with pytest.raises(ProtocolError, match="more than 64 parameters"):
        read_challenges(["Digest " + ", ".join(f"a{number}=1" for number in range(65))])
    with pytest.raises(ProtocolError, match="longer than"):
        read_challenges([f'Digest realm="{5000 * "a"}"'])


def test_quotes_in_a_user_name_are_escaped_and_hashed_as_they_are() -> None:
    answer = Challenge("digest", "r", "n").answer(Credentials('a"b\\c', "p"), "A", "b")
    assert 'username="a\\"b\\\\c"' in answer
    assert md5(md5('a"b\\c', "r", "p"), "n", md5("A", "b")) in answer


@given(st.text(st.characters(categories=["L", "S"]), min_size=8))
def test_the_password_is_in_no_text(password: str) -> None:
    credentials = Credentials("u", password)
    answer = Challenge("digest", "r", "n", None, ("auth",)).answer(credentials, "REGISTER", "sip:x")
    assert password not in repr(credentials) + str(credentials) + answer


@pytest.mark.parametrize("text", ["a\r\nInjected: b", "\0", "a\x7f"])
def test_control_characters_are_refused(text: str) -> None:
    for user, password in ((text, "p"), ("u", text)):
        with pytest.raises(ValueError, match="control characters") as caught:
            Credentials(user, password)
        assert text not in str(caught.value)


@given(st.text(st.sampled_from('Digest ="\\,abc\t'), max_size=60))
def test_any_value_is_read_or_named(value: str) -> None:
    assert fault(lambda: [challenge.shown for challenge in read_challenges([value])]).isascii()
