"""Every key in the store: type, fields, who writes it, and what bounds it.

Each key starts with `gw:`. Bounds are per stream, assignment, worker or in all: S streams, A assignments, W workers.
The writer is a module of this package: `leases` writes for workers, `outlet` writes what they found, the others write
for the controller.

| key | type: what it holds | written by | bound, expiry |
|---|---|---|---|
| `gw:schema` | string: version of this table | connect | one |
| `gw:stream` | hash: stream id -> spec as JSON | streams | S, 16 KiB each |
| `gw:stream:revision` | hash: stream id -> revision | streams | S |
| `gw:stream:ids` | zset: stream ids, score 0; ids sort by creation | streams | S |
| `gw:stream:external` | hash: external id -> stream id | streams | S |
| `gw:stream:assigned` | hash: stream id -> its assignments' ids | assignments | S |
| `gw:label:<name>=<value>` | set: stream ids with that label | streams | 16 a stream; goes with its last member |
| `gw:groups` | string: the detector groups as JSON | configuration | one |
| `gw:groups:revision` | string: grows with each change of them | configuration | one |
| `gw:profile:<name>` | hash: `latest`, and version -> JSON | configuration | 50 versions of 64 KiB |
| `gw:profiles` | set: profiles' names | configuration | 500 |
| `gw:assignment` | hash: assignment id -> revision | assignments | A |
| `gw:due:<group>` | zset: assignment id -> ms from which it may be claimed | assignments, leases | A |
| `gw:lease` | hash: assignment id -> `epoch:worker`; without worker: free | leases | A |
| `gw:lease:history:<assignment>` | list: `ms word worker epoch`, newest first | leases | 10; goes with it |
| `gw:beat` | string: ms of the last renewal by anyone | leases | one |
| `gw:grace` | string: there while holders come first | leases | one; one TTL |
| `gw:checkpoint` | hash: assignment id -> JSON | leases | A, 8 KiB each |
| `gw:status` | hash: assignment id -> JSON | leases | A, 4 KiB each |
| `gw:accepted` | hash: assignment id -> `epoch:sequence` accepted last | outlet | A |
| `gw:findings` | stream: accepted edges and changes of sight | outlet, leases, assignments | see below |
| `gw:defects:<stream>` | hash: `rendition|track|defect|channel` -> JSON, while open | outlet, leases | 512 |
| `gw:defects` | set: streams that have open defects | outlet, assignments | S |
| `gw:closed:<stream>` | list: JSON of closed defects, newest first | outlet, assignments | 100; 7 days |
| `gw:series:<step>:<assignment>` | stream, entry = slot: series -> 4 floats | outlet | 120 × 60 s, 144 × 600 s; 25 h |
| `gw:coverage:<stream>` | hash: detector -> ms watched, degraded, blind | outlet | 256 detectors; goes with it |
| `gw:worker` | hash: worker -> JSON of itself | leases | W |
| `gw:workers` | zset: worker -> ms last heard of | leases | W; forgotten after 10 minutes |
| `gw:idempotency:<sha256>` | hash: the request's fingerprint, its answer | requests | 64 KiB; 24 h (60 s unanswered) |
| `gw:apikey` | hash: sha256 of the key -> JSON | apikeys | 1,000 |
| `rq:*` | finite work | RQ itself | RQ's own |

`gw:findings` has the consumer group `controller`. It is trimmed behind what that group handled, keeping 20,000 for
listeners that resume. At 200,000 nobody consumes: then edges are refused and stay with their worker; none is dropped.
The edges that the store makes itself (a lease ended, an assignment went) are added in any case.
"""

SCHEMA = 1
SCHEMA_KEY = "gw:schema"

STREAM = "gw:stream"
STREAM_REVISION = "gw:stream:revision"
STREAM_IDS = "gw:stream:ids"
STREAM_EXTERNAL = "gw:stream:external"
STREAM_ASSIGNED = "gw:stream:assigned"
LABEL = "gw:label:"

GROUPS = "gw:groups"
GROUPS_REVISION = "gw:groups:revision"
PROFILE = "gw:profile:"
PROFILES = "gw:profiles"

ASSIGNMENT = "gw:assignment"
DUE = "gw:due:"
LEASE = "gw:lease"
HISTORY = "gw:lease:history:"
BEAT = "gw:beat"
GRACE = "gw:grace"
CHECKPOINT = "gw:checkpoint"
STATUS = "gw:status"

ACCEPTED = "gw:accepted"
FINDINGS = "gw:findings"
OPEN = "gw:defects:"
OPEN_STREAMS = "gw:defects"
CLOSED = "gw:closed:"
SERIES = "gw:series:"
COVERAGE = "gw:coverage:"

WORKER = "gw:worker"
WORKERS = "gw:workers"

IDEMPOTENCY = "gw:idempotency:"
APIKEY = "gw:apikey"
