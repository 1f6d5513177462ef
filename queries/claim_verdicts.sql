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
    count(*) FILTER (starts_with(verdict, 'depends on ')) AS depends,
    count(*) FILTER (verdict IN ('not measured', 'not measurable from the Hub', 'open')) AS undecided,
    count(*) FILTER (contains(verdict, 'own figures') OR verdict = 'its figures fit') AS sums
FROM claims
