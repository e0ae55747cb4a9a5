# SPDX-License-Identifier: Apache-2.0
"""Endpoints of the kind EMAIL: their recipients, and what becomes of a mail that is accepted for some of them only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.alert.domain.delivery import (
    Acceptance,
    Answer,
    Attempt,
    FinalFailure,
    MailProgress,
    Outcome,
    Verdict,
    backoff_end,
)

RECIPIENTS_MAX: Final = 20
ADDRESS_LENGTH_MAX: Final = 254
NO_MAIL_SERVER: Final = "waits: Alert has no mail server"
_REPLY_LENGTH_MAX: Final = 200
# RFC 5321 without what nobody needs in practice: quoted local parts and address literals. ASCII, and no space, so an
# address can neither end an SMTP command nor a header.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def is_mail_address(text: str) -> bool:
    """Whether a text is an address without a display name, such as ops@vendor.example."""
    return len(text) <= ADDRESS_LENGTH_MAX and _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the mail server replied about one recipient. code: as RFC 5321, 4.2, defines it."""

    code: int
    text: str = ""

    @property
    def is_acceptance(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_refusal(self) -> bool:
        """Whether trying again is useless."""
        return 500 <= self.code < 600


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAnswer:
    """The result of an attempt to mail. replies: of the recipients that the server replied about.

    problem: why there is no reply about the others; its code is 0 if it is none of the server's.
    """

    replies: Mapping[str, Reply] = field(default_factory=dict)
    problem: Reply | None = None


def unmailed(recipients: Sequence[str], progress: MailProgress) -> tuple[str, ...]:
    """Return the recipients that a mail is still to be sent to."""
    return tuple(one for one in recipients if one not in progress.accepted and one not in progress.refused)


def judge_mail(
    attempt: Attempt, recipients: Sequence[str], answer: MailAnswer, *, at: datetime, jitter: float
) -> Outcome:
    """Return what happens to a delivery after an attempt to mail it. at, jitter: as of delivery.judge.

    It is retried while a recipient waits. Then it is delivered if it was accepted for all; otherwise it has failed.
    """
    accepted = {address for address, reply in answer.replies.items() if reply.is_acceptance}
    refused = {address: _words(reply) for address, reply in answer.replies.items() if reply.is_refusal}
    progress = MailProgress(
        accepted=attempt.mailed.accepted | accepted, refused={**attempt.mailed.refused, **refused}
    )
    verdict: Verdict
    if unmailed(recipients, progress):
        verdict = backoff_end(attempt, at=at, jitter=jitter)
    elif any(one in progress.refused for one in recipients):
        verdict = FinalFailure()
    else:
        verdict = Acceptance()
    return Outcome(
        verdict=verdict,
        answer=_summary(recipients, answer, progress),
        is_success=bool(accepted) or isinstance(verdict, Acceptance),
        mailed=progress,
    )


def _summary(recipients: Sequence[str], answer: MailAnswer, progress: MailProgress) -> Answer:
    """Return what the delivery log shows: everyone who did not get it, and the first of the codes."""
    problems = dict(progress.refused)
    codes = [reply.code for reply in answer.replies.values() if not reply.is_acceptance]
    for address in unmailed(recipients, progress):
        reply = answer.replies.get(address, answer.problem)
        problems[address] = "not tried" if reply is None else _words(reply)
    if answer.problem is not None:
        codes.append(answer.problem.code)
        if set(problems) == set(recipients) and not answer.replies:
            return Answer(status_code=answer.problem.code, error=_words(answer.problem))
    error = "; ".join(f"{address}: {words}" for address, words in problems.items())
    accepted = [reply.code for reply in answer.replies.values() if reply.is_acceptance]
    return Answer(status_code=next(iter([*codes, *accepted]), 0), error=error)


def _words(reply: Reply) -> str:
    """Return a reply as the delivery log shows it: one printable line."""
    line = "".join(one if one.isprintable() else " " for one in reply.text)[:_REPLY_LENGTH_MAX].strip()
    return f"{reply.code} {line}".strip() if reply.code else line
