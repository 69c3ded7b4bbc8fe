"""Sunrise and sunset by the equations of NOAA's solar calculator (after Meeus, Astronomical Algorithms)."""

from __future__ import annotations

from datetime import date
from math import acos, asin, cos, degrees, radians, sin, tan


def rise_and_set(day: date, latitude: float, longitude: float) -> tuple[int, int]:
    """Sunrise and sunset in minutes of UTC after the midnight that begins ``day``; degrees, east positive.

    The sun's place is that of the local noon. Raises ``ValueError`` where the sun does not rise or set on ``day``.
    """
    noon = 0.5 - longitude / 360
    century = (day.toordinal() - date(2000, 1, 1).toordinal() + noon - 0.5) / 36525
    mean_longitude = radians((280.46646 + 36000.76983 * century) % 360)
    anomaly = radians(357.52911 + 35999.05029 * century)
    eccentricity = 0.016708634 - 0.000042037 * century
    centre = 1.914602 * sin(anomaly) + 0.019993 * sin(2 * anomaly) + 0.000289 * sin(3 * anomaly)
    node = radians(125.04 - 1934.136 * century)
    apparent = mean_longitude + radians(centre - 0.00569 - 0.00478 * sin(node))
    tilt = radians(23.439291 - 0.013004 * century + 0.00256 * cos(node))
    declination = asin(sin(tilt) * sin(apparent))
    y = tan(tilt / 2) ** 2
    equation = 4 * degrees(
        y * sin(2 * mean_longitude)
        - 2 * eccentricity * sin(anomaly)
        + 4 * eccentricity * y * sin(anomaly) * cos(2 * mean_longitude)
        - 0.5 * y * y * sin(4 * mean_longitude)
        - 1.25 * eccentricity * eccentricity * sin(2 * anomaly)
    )
    place = radians(latitude)
    hour_angle = degrees(acos(cos(radians(90.833)) / (cos(place) * cos(declination)) - tan(place) * tan(declination)))
    transit = 720 - 4 * longitude - equation
    return round(transit - 4 * hour_angle), round(transit + 4 * hour_angle)
