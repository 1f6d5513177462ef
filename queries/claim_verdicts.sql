-- title: Verdicts on claims
-- answers: How many of the claims checked are supported, contradicted, depend on a choice, or could not be measured?
-- param claims JSON = [] : claims with verdicts: `claims` of the report `claims`
-- chart: none
-- consistent: its own shares can describe one population; they are not measured.
-- misstated: overstated or understated. refuted: contradicted or misstated. unclear: not reproduced or dependent on a choice.
WITH claims AS (
    SELECT unnest(from_json($claims::JSON, '[{"verdict": "VARCHAR"}]'), recursive := true)
)
SELECT
    count(*) AS claims,
    count(*) FILTER (verdict = 'supported') AS supported,
    count(*) FILTER (verdict = 'contradicted') AS contradicted,
    count(*) FILTER (verdict IN ('overstated', 'understated')) AS misstated,
    count(*) FILTER (verdict = 'not_reproduced') AS not_reproduced,
    count(*) FILTER (verdict = 'depends') AS depends,
    count(*) FILTER (verdict = 'inconsistent') AS inconsistent,
    count(*) FILTER (verdict = 'consistent') AS consistent,
    count(*) FILTER (verdict IN ('not_measured', 'not_measurable')) AS unmeasured,
    contradicted + misstated + inconsistent AS refuted,
    not_reproduced + depends AS unclear,
    unmeasured + consistent AS undecided
FROM claims
