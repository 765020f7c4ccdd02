"""Writes timestamps.txt: milliseconds since 1970, the same moment in the signed form, and in some other form of ISO 8601.

    python3 make_timestamps.py

Python's datetime is the outside truth.
"""
import pathlib
import random
from datetime import datetime, timedelta, timezone

draw = random.Random(20250906)
epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
first, last = datetime(1, 1, 2, tzinfo=timezone.utc), datetime(9999, 12, 30, tzinfo=timezone.utc)
moments = [epoch, epoch - timedelta(milliseconds=1), first, last]
for year in (4, 100, 400, 1600, 1900, 1970, 1972, 2000, 2024, 2025, 2100, 2400, 9996):
    for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)):
        moments.append(datetime(year, month, day, tzinfo=timezone.utc))
    march = datetime(year, 3, 1, tzinfo=timezone.utc)
    moments.append(march - timedelta(milliseconds=1))
span = (last - first) // timedelta(milliseconds=1)
moments += [first + timedelta(milliseconds=draw.randrange(span)) for _ in range(250)]
recent = datetime(2020, 1, 1, tzinfo=timezone.utc)
moments += [recent + timedelta(milliseconds=draw.randrange(10**12)) for _ in range(100)]

lines = []
for moment in moments:
    milliseconds = (moment - epoch) // timedelta(milliseconds=1)
    signed = moment.strftime("%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    zone = timezone(timedelta(minutes=draw.randrange(-14 * 60, 14 * 60)))
    lines.append(f"{milliseconds} {moment.year:04}-{signed} {moment.astimezone(zone).isoformat(timespec='microseconds')}")
pathlib.Path(__file__).with_name("timestamps.txt").write_text("\n".join(lines) + "\n")
