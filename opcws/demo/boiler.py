"""How the values of the simulated plant move: first-order lags and a little noise."""

import math
import random
from typing import Any, Dict


def _finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


class Boiler:
    """The physics: first-order lags and a little noise.  Temperatures in °C, level and valve
    in %, pressure in bar, speed in revolutions per minute."""

    def __init__(self) -> None:
        self._noise = random.Random(4840)
        self.temperature = 20.0
        self.level = 66.0
        self.speed = 0.0
        self._setpoint = 80.0
        self._valve = 40.0

    def step(self, seconds: float, setpoint: Any, valve: Any) -> Dict[str, Any]:
        """Move by *seconds*; returns the new values by variable name.  Values that a test has set
        to something other than a finite number are ignored."""
        noise = self._noise.gauss
        setpoint = self._setpoint = setpoint if _finite(setpoint) else self._setpoint
        valve = self._valve = valve if _finite(valve) else self._valve
        self.temperature += (setpoint - self.temperature) * -math.expm1(-seconds / 20.0)
        self.level += (90.0 - 0.6 * valve - self.level) * -math.expm1(-seconds / 30.0)
        wanted = 1450.0 if valve > 5.0 else 0.0
        self.speed += (wanted - self.speed) * -math.expm1(-seconds / 4.0)
        temperature = round(self.temperature + noise(0.0, 0.08), 3)
        level = round(min(100.0, max(0.0, self.level + noise(0.0, 0.05))), 3)
        pressure = round(1.0 + (max(0.0, self.temperature) / 100.0) ** 4 + noise(0.0, 0.004), 4)
        state = 0 if self.speed < 20.0 else 2 if self.speed > 1400.0 else 1
        return {
            "Boiler.Temperature": temperature,
            "Boiler.Level": level,
            "Boiler.Pressure": pressure,
            "Boiler.Profile": [round(temperature - 0.4 * (7 - i), 3) for i in range(8)],
            "Motor.Speed": round(self.speed, 1),
            "Motor.State": state,
            "Plant.Alarms": (temperature > 95.0) | (level < 35.0) << 1 | (pressure > 2.0) << 2,
        }
