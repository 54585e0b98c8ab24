"""The example data of OPC 10000-13 annex A, edition 1.05, and what they come to by its tables.

``AggregateExamples.csv``, to which the annex refers, has the same rows in long form.
"""

from typing import Dict, List, Tuple

from opcws.history.aggregates import AggregateConfiguration
from opcws.model import status_codes
from opcws.model.data_types import BOOLEAN, DOUBLE, TICKS_PER_SECOND, DataValue, Variant

#: 12:00:00 in the examples, in ticks; every range there is 100 s.
NOON = 131_000_000_000_000_000
END = NOON + 100 * TICKS_PER_SECOND

#: Raw values: seconds after NOON, value, and the status if it is not Good.
_RAW = {
    1: "10:10 20:20 30:30 40:40:Bad 50:50 60:60 70:70:Uncertain 80:80 90:90",
    2: "2:10 25:20 28:25 39:30 42::Bad 48:40 52:50 72:60 77:70:Uncertain 83:70 86:80 90:90",
    4: "2:1 25:0 28:1 39:1 42::Bad 48:1 52:0 72:0 77:1:Uncertain 83:1 86:0 90:1",
    5: "2:10 25:20 28:10 39:30 42::Bad 48:30 52:50 72:30 77:70:Uncertain 83:70 86:80 90:70",
}
_RAW[3] = _RAW[2]
#: Whether each is stepped, and its configuration.
CONFIGURATIONS = {
    1: (False, AggregateConfiguration(treat_uncertain_as_bad=False)),
    2: (False, AggregateConfiguration(use_sloped_extrapolation=True)),
    3: (True, AggregateConfiguration(percent_data_bad=50, percent_data_good=50)),
    4: (True, AggregateConfiguration()),
    5: (False, AggregateConfiguration(treat_uncertain_as_bad=False)),
}


def values(historian: int) -> List[DataValue]:
    """Its raw values; number 4 has Booleans.  The first says that the point was created."""
    found = [DataValue(None, status_codes.code("BadNoData"), NOON)]
    for each in _RAW[historian].split():
        seconds, number, *status = each.split(":")
        variant = None
        if number:
            of_boolean = historian == 4
            variant = (
                Variant(BOOLEAN, number == "1") if of_boolean else Variant(DOUBLE, float(number))
            )
        code = status_codes.code(status[0]) if status else 0
        found.append(DataValue(variant, code, NOON + int(seconds) * TICKS_PER_SECOND))
    return found


#: What each is computed for: the name, the seconds of an interval, the historians.  A cell is the
#: value and the status: G Good, S UncertainDataSubNormal, U Uncertain, B Bad, N BadNoData, with c
#: Calculated, i Interpolated, m MultipleValues, p Partial.  Before "=" is the second of its
#: timestamp, where that is not the start of the interval.
_TABLES = """
Interpolative 5 1 | N N 10G 15Gi 20G 25Gi 30G 35Si 40Si 45Si
    50G 55Gi 60G 65Si 70U 75Si 80G 85Gi 90G 90Si
Interpolative 5 2 | N 11.304Gi 13.478Gi 15.652Gi 17.826Gi 20G 25.909Gi 28.182Gi 31.111Si 36.667Si
    45Gi 51.5Gi 54Gi 56.5Gi 59Gi 62.727Si 67.273Si 76.667Gi 90G 102.5Si
Interpolative 5 3 | N 10Gi 10Gi 10Gi 10Gi 20G 25Gi 25Gi 30Gi 30Si
    40Gi 50Gi 50Gi 50Gi 50Gi 60Gi 60Si 70Gi 90G 90Si
Interpolative 5 5 | N 11.304Gi 13.478Gi 15.652Gi 17.826Gi 20G 13.636Gi 22.727Gi 30Si 30Si
    40Gi 47Gi 42Gi 37Gi 32Gi 54Si 70Si 76.667Gi 70G 70Si
Average 5 1 | N N 10Gc N 20Gc N 30Gc N N N 50Gc N 60Gc N N N 80Gc N 90Gc N
Average 5 2,3 | 10Gc N N N N 22.5Gc N 30Gc N 40Gc 50Gc N N N 60Gc N 70Gc 80Gc 90Gc N
Average 5 5 | 10Gc N N N N 15Gc N 30Gc N 30Gc 50Gc N N N 30Gc N 70Gc 80Gc 70Gc N
TimeAverage 5 1 | N N 12.5Gc 17.5Gc 22.5Gc 27.5Gc 32.5Sc 37.5Sc 42.5Sc 47.5Sc
    52.5Gc 57.5Gc 62.5Sc 67.5Sc 72.5Sc 77.5Sc 82.5Gc 87.5Gc 90Scp N
TimeAverage 5 2 | 10.652Scp 12.391Gc 14.565Gc 16.739Gc 18.913Gc 23.682Gc 27.045Gc 29.384Sc 33.889Sc
    40Sc 49.45Gc 52.75Gc 55.25Gc 57.75Gc 60.618Sc 65Sc 70.515Sc 83.667Gc 96.25Scp N
TimeAverage 5 3 | 10.652Scp 12.391Gc 14.565Gc 16.739Gc 18.913Gc 23.682Gc 27.045Gc 29.384Sc 33.889Sc
    40Sc 49.45Gc 52.75Gc 55.25Gc 57.75Gc 60.618Sc 65Sc 70.515Sc 83.667Gc 90Scp N
TimeAverage 5 5 | 10.652Scp 12.391Gc 14.565Gc 16.739Gc 18.913Gc 13.727Gc 18.182Gc 27.091Sc 30Sc
    32Sc 47.1Gc 44.5Gc 39.5Gc 34.5Gc 37.6Sc 66.8Sc 71.333Sc 75.667Gc 70Scp N
TimeAverage2 5 1 | N N 12.5Gc 17.5Gc 22.5Gc 27.5Gc 30Gc 30Gc N N
    52.5Gc 57.5Gc 62.5Gc 67.5Gc 72.5Gc 77.5Gc 82.5Gc 87.5Gc 90Gcp N
TimeAverage2 5 2 | 10.652Scp 12.391Gc 14.565Gc 16.739Gc 18.913Gc 23.682Gc 27.045Gc 29.273Sc Bc
    42.5Sc 49.45Gc 52.75Gc 55.25Gc 57.75Gc 59.8Sc Bc 73.333Sc 83.667Gc Bcp N
TimeAverage2 5 3 | 10Gcp 10Gc 10Gc 10Gc 10Gc 22Gc 25Gc 26Gc 30Sc
    40Sc 46Gc 50Gc 50Gc 50Gc 56Gc 60Sc 70Sc 78Gc 90Gcp N
TimeAverage2 5 5 | 10.652Scp 12.391Gc 14.565Gc 16.739Gc 18.913Gc 13.727Gc 18.182Gc 27.091Gc 30Sc
    35Sc 47.1Gc 44.5Gc 39.5Gc 34.5Gc 37.6Gc 66.8Gc 71.333Gc 75.667Gc 70Gcp N
Total 5 1 | N N 62.5Gc 87.5Gc 112.5Gc 137.5Gc 162.5Sc 187.5Sc 212.5Sc 237.5Sc
    262.5Gc 287.5Gc 312.5Sc 337.5Sc 362.5Sc 387.5Sc 412.5Gc 437.5Gc 450Scp N
Total 5 2 | 31.957Scp 61.957Gc 72.826Gc 83.696Gc 94.565Gc 118.409Gc 135.227Gc 146.919Sc 169.444Sc
    200Sc 247.25Gc 263.75Gc 276.25Gc 288.75Gc 303.091Sc 325Sc 352.576Sc 418.333Gc 481.25Scp N
Total 5 5 | 31.957Scp 61.957Gc 72.826Gc 83.696Gc 94.565Gc 68.636Gc 90.909Gc 135.455Sc 150Sc
    160Sc 235.5Gc 222.5Gc 197.5Gc 172.5Gc 188Sc 334Sc 356.667Sc 378.333Gc 350Scp N
Total2 5 1 | N N 62.5Gc 87.5Gc 112.5Gc 137.5Gc 150Gc 150Gc N N
    262.5Gc 287.5Gc 312.5Gc 337.5Gc 362.5Gc 387.5Gc 412.5Gc 437.5Gc 0.09Gcp N
Total2 5 2 | 31.957Scp 61.957Gc 72.826Gc 83.696Gc 94.565Gc 118.409Gc 135.227Gc 146.364Sc Bc
    85Sc 247.25Gc 263.75Gc 276.25Gc 288.75Gc 299Sc Bc 146.667Sc 418.333Gc Bcp N
Total2 5 3 | 30Gcp 50Gc 50Gc 50Gc 50Gc 110Gc 125Gc 130Gc 60Sc
    80Sc 230Gc 250Gc 250Gc 250Gc 280Gc 120Sc 140Sc 390Gc 0.09Gcp N
Total2 5 5 | 31.957Scp 61.957Gc 72.826Gc 83.696Gc 94.565Gc 68.636Gc 90.909Gc 135.455Gc 60Sc
    70Sc 235.5Gc 222.5Gc 197.5Gc 172.5Gc 188Gc 334Gc 356.667Gc 378.333Gc 0.07Gcp N
Minimum 16 1 | 10Gcp 20Gc N 50Gc N 80Gp N
Minimum 16 2,3 | 10Gcp 20Gc 30Sc 40G 60Sc 70Gcp N
Minimum 16 5 | 10Gcp 10Gc 30Sc 30G 30Gc 70Gcmp N
Maximum 16 1 | 10Gcp 30Gc N 60Gc N 90Gcp N
Maximum 16 2,3 | 10Gcp 25Gc 30Sc 50Gc 60Sc 90Gcp N
Maximum 16 5 | 10Gcp 20Gc 30Sc 50Gc 30Gc 80Gcp N
MinimumActualTime 16 1 | 10=10Gp 20=20G N 50=50G N 80Gp N
MinimumActualTime 16 2,3 | 2=10Gp 25=20G 39=30S 48=40G 72=60S 83=70Gp N
MinimumActualTime 16 5 | 2=10Gp 28=10G 39=30S 48=30G 72=30G 83=70Gmp N
MaximumActualTime 16 1 | 10=10Gp 30=30G N 60=60G N 90=90Gp N
MaximumActualTime 16 2,3 | 2=10Gp 28=25G 39=30S 52=50G 72=60S 90=90Gp N
MaximumActualTime 16 5 | 2=10Gp 25=20G 39=30S 52=50G 72=30G 86=80Gp N
Range 16 1 | 0Gcp 10Gc N 10Gc N 10Gcp N
Range 16 2,3 | 0Gcp 5Gc 0Sc 10Gc 0Sc 20Gcp N
Range 16 5 | 0Gcp 10Gc 0Sc 20Gc 0Gc 10Gcp N
Count 16 1 | 1Gcp 2Gc B 2Gc 0Sc 2Gcp N
Count 16 2,4,5 | 1Gcp 2Gc 1Sc 2Gc 1Sc 3Gcp N
Count 16 3 | 1Gcp 2Gc 1Gc 2Gc 1Gc 3Gcp N
Start 16 1 | 10=10Gp 20=20G 40=B 50=50G 70=70U 80Gp N
Start 16 2,3 | 2=10Gp 25=20G 39=30G 48=40G 72=60G 83=70Gp N
Start 16 5 | 2=10Gp 25=20G 39=30G 48=30G 72=30G 83=70Gp N
End 16 1 | 10=10Gp 30=30G 40=B 60=60G 70=70U 90=90Gp N
End 16 2,3 | 2=10Gp 28=25G 42=B 52=50G 77=70U 90=90Gp N
End 16 5 | 2=10Gp 28=10G 42=B 52=50G 77=70U 90=70Gp N
Delta 16 1 | 0Gcp 10Gc N 10Gc N 10Gcp N
Delta 16 2,3 | 0Gcp 5Gc 0Sc 10Gc 0Sc 20Gcp N
Delta 16 5 | 0Gcp -10Gc 0Sc 20Gc 0Sc 0Gcp N
DurationGood 16 1 | 6000Gcp 16000Gc 0Gc 14000Gc 0Gc 10001Gcp N
DurationGood 16 2,3,4,5 | 14000Gcp 16000Gc 10000Gc 16000Gc 13000Gc 7001Gcp N
DurationBad 16 1 | 10000Gcp 0Gc 8000Gc 2000Gc 0Gc 0Gcp N
DurationBad 16 2 | 2000Gcp 0Gc 6000Gc 0Gc 3000Gc 3000Gcp N
DurationBad 16 3,4 | 2000Gcp 0Gc 6000Gc 0Gc 3000Gc 0Gcp N
DurationBad 16 5 | 2000Gcp 0Gc 6000Gc 0Gc 0Gc 0Gcp N
PercentGood 16 1 | 37.5Gcp 100Gc 0Gc 87.5Gc 0Gc 100Gcp N
PercentGood 16 2,3,4,5 | 87.5Gcp 100Gc 62.5Gc 100Gc 81.25Gc 70.003Gcp N
PercentBad 16 1 | 62.5Gcp 0Gc 50Gc 12.5Gc 0Gc 0Gcp N
PercentBad 16 2 | 12.5Gcp 0Gc 37.5Gc 0Gc 18.75Gc 29.997Gcp N
PercentBad 16 3,4 | 12.5Gcp 0Gc 37.5Gc 0Gc 18.75Gc 0Gcp N
PercentBad 16 5 | 12.5Gcp 0Gc 37.5Gc 0Gc 0Gc 0Gcp N
"""


def _tables() -> Dict[Tuple[str, int], Tuple[int, List[str]]]:
    found = {}
    for table in _TABLES.replace("\n    ", " ").strip().split("\n"):
        head, _, cells = table.partition("|")
        aggregate, seconds, historians = head.split()
        for historian in historians.split(","):
            found[aggregate, int(historian)] = (int(seconds), cells.split())
    return found


#: By aggregate and historian: the seconds of an interval, and its cells.
TABLES = _tables()
