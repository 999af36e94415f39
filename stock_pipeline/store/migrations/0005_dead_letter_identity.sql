-- What the producer refused has an identity, as ticks have: sent again after a crash it is the same dead letter. Records that
-- the job refused have none; their place on the topic is what tells them apart.
ALTER TABLE dead_letters ADD COLUMN rejection_id uuid UNIQUE;
