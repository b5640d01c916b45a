/** The names and numbers of `mx8.v0` that other implementations speak. A change here breaks all of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { wireMethods, wireType } from './schema.ts';

const SERVICE = `
RegisterNode RegisterNodeRequest RegisterNodeResponse
Heartbeat HeartbeatRequest HeartbeatResponse
RequestLease RequestLeaseRequest RequestLeaseResponse
ReportProgress ReportProgressRequest ReportProgressResponse
GetManifest GetManifestRequest GetManifestResponse
GetManifestStream GetManifestRequest stream ManifestChunk
GetJobSnapshot GetJobSnapshotRequest GetJobSnapshotResponse
GetResumeCheckpoint GetResumeCheckpointRequest GetResumeCheckpointResponse`;

const ELASTIC = (first: number): string =>
  [
    'elastic_transition_pending bool',
    'elastic_transitions_total uint64',
    'elastic_last_transition_reason string',
    'elastic_current_world_size uint32',
    'elastic_target_world_size uint32',
    'elastic_last_transition_unix_time_ms uint64',
  ]
    .map((field, index) => `${first + index} ${field}`)
    .join(', ');

const MESSAGES: Readonly<Record<string, string>> = {
  NodeCaps:
    '1 max_fetch_concurrency uint32, 2 max_decode_concurrency uint32, 3 max_inflight_bytes uint64, 4 max_ram_bytes uint64',
  RegisterNodeRequest: '1 job_id string, 2 node_id string, 3 caps NodeCaps, 4 resume_from bytes',
  RegisterNodeResponse: `1 assigned_rank uint32, 2 world_size uint32, 3 manifest_hash string, 4 heartbeat_interval_ms uint32, 5 lease_ttl_ms uint32, 6 registered_nodes uint32, 7 job_ready bool, ${ELASTIC(8)}`,
  NodeStats:
    '1 inflight_bytes uint64, 2 ram_high_water_bytes uint64, 3 fetch_queue_depth uint32, 4 decode_queue_depth uint32, 5 pack_queue_depth uint32, 6 autotune_enabled bool, 7 effective_prefetch_batches uint32, 8 effective_max_queue_batches uint32, 9 effective_want uint32, 10 autotune_pressure_milli uint32, 11 autotune_cooldown_ticks uint32, 12 batch_payload_p95_over_p50_milli uint32, 13 batch_jitter_slo_breaches_total uint64',
  HeartbeatRequest: '1 job_id string, 2 node_id string, 3 unix_time_ms uint64, 4 stats NodeStats',
  HeartbeatResponse: '',
  WorkRange: '1 start_id uint64, 2 end_id uint64, 3 epoch uint32, 4 seed uint64',
  Lease:
    '1 lease_id string, 2 node_id string, 3 range WorkRange, 4 cursor uint64, 5 expires_unix_time_ms uint64',
  RequestLeaseRequest: '1 job_id string, 2 node_id string, 3 want uint32',
  RequestLeaseResponse: `1 leases repeated Lease, 2 wait_ms uint32, ${ELASTIC(3)}, 9 job_drained bool`,
  ReportProgressRequest:
    '1 job_id string, 2 node_id string, 3 lease_id string, 4 cursor uint64, 5 delivered_samples uint64, 6 delivered_bytes uint64, 7 unix_time_ms uint64',
  ReportProgressResponse: '',
  GetManifestRequest: '1 job_id string, 2 manifest_hash string',
  GetManifestResponse: '1 manifest_bytes bytes, 2 schema_version uint32',
  ManifestChunk: '1 data bytes, 2 schema_version uint32',
  GetJobSnapshotRequest: '1 job_id string',
  NodeSnapshot:
    '1 node_id string, 2 assigned_rank uint32, 3 last_heartbeat_unix_time_ms uint64, 4 caps NodeCaps, 5 stats NodeStats',
  CoordinatorCounters:
    '1 register_total uint64, 2 heartbeat_total uint64, 3 request_lease_total uint64, 4 leases_granted_total uint64, 5 leases_expired_total uint64, 6 ranges_requeued_total uint64, 7 progress_total uint64, 8 resume_checkpoint_applied_total uint64, 9 resume_checkpoint_rejected_total uint64, 10 resume_ranges_applied_total uint64',
  GetJobSnapshotResponse:
    '1 server_unix_time_ms uint64, 2 manifest_hash string, 3 world_size uint32, 4 registered_nodes uint32, 5 job_ready bool, 6 job_drained bool, 7 active_leases uint64, 8 available_ranges uint64, 9 nodes repeated NodeSnapshot, 10 live_leases repeated Lease, 11 counters CoordinatorCounters',
  GetResumeCheckpointRequest: '1 job_id string',
  GetResumeCheckpointResponse: '1 checkpoint bytes',
};

const PROTO = readFileSync(new URL('mx8_v0.proto', import.meta.url), 'utf8');

test('the service has the methods of the contract', () => {
  const declared = [...PROTO.matchAll(/rpc (\w+)\((\w+)\) returns \((stream )?(\w+)\)/g)].map(
    ([, name, request, stream = '', response]) => `${name} ${request} ${stream}${response}`,
  );
  assert.deepEqual(declared, SERVICE.trim().split('\n'));
  assert.deepEqual(
    wireMethods('mx8.v0.Coordinator').map(({ path }) => path),
    declared.map((line) => `/mx8.v0.Coordinator/${line.split(' ')[0]}`),
  );
});

test('the messages have the fields of the contract', () => {
  const declared: Record<string, string> = {};
  for (const [, name = '', body = ''] of PROTO.matchAll(/message (\w+) \{([^}]*)\}/g)) {
    declared[name] = [...body.matchAll(/(repeated )?(\w+) (\w+) = (\d+);/g)]
      .map(([, repeated = '', type, field, number]) => `${number} ${field} ${repeated}${type}`)
      .join(', ');
  }
  assert.deepEqual(declared, MESSAGES);
});

test('a message has the bytes that any protobuf implementation gives it', () => {
  const lease = wireType('mx8.v0.Lease').encode({
    leaseId: '1.2.3',
    nodeId: 'n',
    range: { startId: 300, endId: 2 ** 40, epoch: 7 },
    cursor: 301,
  });
  assert.equal(
    lease.toString('hex'),
    '0a05312e322e3312016e1a0c08ac021080808080802018072 0ad02'.replaceAll(' ', ''),
  );
});
