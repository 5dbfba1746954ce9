-- Hold a run until the transaction ends; read it afterwards, or what was changed while we waited would be missed.
SELECT id FROM generator.runs WHERE id = $1 FOR UPDATE
