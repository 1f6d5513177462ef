-- title: Partial snapshots
-- answers: Which snapshots hold so many fewer models than their neighbours that a part is missing?
-- param earlier_ratio DOUBLE = 0.99 : lowest plausible ratio to the largest of the week before, or else the one before
-- param later_ratio DOUBLE = 0.9 : lowest plausible ratio to the largest of the week after
-- column ratio: ratio
-- chart: none
-- Neighbours are snapshots of the same scope.
SELECT snapshot, models, compared_with, compared_models, models / compared_models AS ratio
FROM partial_snapshots($earlier_ratio::DOUBLE, $later_ratio::DOUBLE)
ORDER BY observed_to, snapshot
