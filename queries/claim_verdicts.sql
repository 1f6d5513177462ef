-- title: Verdicts on claims
-- answers: How many of the claims checked are supported, contradicted, depend on the way of counting, or could not be measured?
-- param claims JSON = [] : claims with verdicts: the rows of the report `claims`
-- chart: none
WITH claims AS (
    SELECT unnest(from_json($claims::JSON, '[{"verdict": "VARCHAR"}]'), recursive := true)
)
SELECT
    count(*) AS claims,
    count(*) FILTER (verdict = 'supported') AS supported,
    count(*) FILTER (verdict = 'contradicted') AS contradicted,
    count(*) FILTER (verdict = 'depends_on') AS depends_on,
    count(*) FILTER (verdict IN ('not_measured', 'not_measurable', 'inconclusive')) AS undecided,
    count(*) FILTER (verdict IN ('internally_consistent', 'internally_inconsistent')) AS consistency_checks
FROM claims
