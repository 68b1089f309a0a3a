#!/usr/bin/env python3
"""Calendar cases worked out by programs that are not ours: python-dateutil for months and years, holidays for Swedish
public holidays (category public, with Sundays) and the three eves (category de_facto). Written as text, one case a line, and
replayed by the tests of crates/policy:

    m EVENT COUNT LAST     so many months after the event
    y EVENT COUNT LAST     so many years
    h DAY KIND             0 an ordinary day, 1 a public holiday or Sunday, 2 an eve
    a RECEIVED LATEST PLANNED MOVED   an answer within a month; MOVED is the last day if the eves moved it too

usage: swedish_calendar.py CASES-OF-EACH SEED
"""

import random
import sys
from datetime import date, timedelta

import holidays
from dateutil.relativedelta import relativedelta

FIRST, LAST = date(2018, 1, 1), date(2100, 12, 31)
# An answer to a request of the last December is due in the year after.
YEARS = range(FIRST.year, LAST.year + 2)
PUBLIC = holidays.Sweden(years=YEARS, categories=("public",), include_sundays=True)
EVES = holidays.Sweden(years=YEARS, categories=("de_facto",))
DAY = timedelta(days=1)


def rests(day):
    return day.weekday() == 5 or day in PUBLIC


def forward(day, rest):
    while rest(day):
        day += DAY
    return day


def answer(received):
    end = received + relativedelta(months=1)
    planned = end
    while rests(planned) or planned in EVES:
        planned -= DAY
    moved = forward(end, lambda day: rests(day) or day in EVES)
    return f"a {received} {forward(end, rests)} {planned} {moved}"


def any_day(rng):
    return FIRST + DAY * rng.randrange((LAST - FIRST).days + 1)


def month_end(rng):
    """A day whose date not every month has, as often as any other."""
    day = any_day(rng)
    return day if rng.random() < 0.5 else day + relativedelta(day=31)


def near_a_holiday(rng, special):
    """An ordinary day, or one next to a day that is special."""
    return any_day(rng) if rng.random() < 0.3 else min(max(rng.choice(special) + DAY * rng.randrange(-1, 2), FIRST), LAST)


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    special = sorted(day for day in [*PUBLIC, *EVES] if FIRST <= day <= LAST and day.weekday() != 6)
    for _ in range(count):
        event, months = month_end(rng), rng.randrange(1, 1201)
        print(f"m {event} {months} {event + relativedelta(months=months)}")
        event, years = month_end(rng), rng.randrange(1, 101)
        print(f"y {event} {years} {event + relativedelta(years=years)}")
        day = near_a_holiday(rng, special)
        print(f"h {day} {1 if day in PUBLIC else 2 if day in EVES else 0}")
        received = near_a_holiday(rng, special) + relativedelta(months=-1)
        print(answer(max(received, FIRST)))


main()
