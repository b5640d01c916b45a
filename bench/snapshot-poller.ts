/** Asks for the whole v0 snapshot once a second, in a process of its own: `node bench/snapshot-poller.ts PORT`. */
import { connect } from 'node:http2';

import { wireType } from '../src/wire/schema.ts';

const session = connect(`http://127.0.0.1:${process.argv[2] ?? ''}`);
const request = wireType('mx8.v0.GetJobSnapshotRequest').encode({ jobId: 'job' });
const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
let polls = 0;
let bytes = 0;
setInterval(() => {
  const call = session.request({
    ':method': 'POST',
    ':path': '/mx8.v0.Coordinator/GetJobSnapshot',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let length = 0;
  call.on('data', (chunk: Buffer) => (length += chunk.length));
  call.on('end', () => {
    polls += 1;
    bytes = length;
  });
  call.end(frame);
}, 1000);
process.on('message', () => process.send?.({ scrapes: polls, bytes }));
process.on('disconnect', () => process.exit(0));
