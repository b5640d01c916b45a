/** How Google is told what to write, and which answers say that a condition did not hold. */
import type { WriteCondition } from '../../ports/place.ts';
import type { Random } from '../../ports/random.ts';
import type { PlainAnswer } from '../http/plain-request.ts';

export function isSuccess({ head }: PlainAnswer): boolean {
  return head.status >= 200 && head.status < 300;
}

export function isConflict({ head }: PlainAnswer, condition: WriteCondition): boolean {
  return condition.type !== 'any' && head.status === 412;
}

/** Generation 0 is that of an object that is not there. */
export function conditionQuery(condition: WriteCondition): Record<string, string> {
  switch (condition.type) {
    case 'any':
      return {};
    case 'create':
      return { ifGenerationMatch: '0' };
    case 'replace':
      return { ifGenerationMatch: condition.etag };
    default:
      return condition satisfies never;
  }
}

export interface ObjectBody {
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const BYTES = 'application/octet-stream';

/** An object in one request: its bytes as they are, or after what is noted at it. */
export function objectBody(
  object: string,
  metadata: Readonly<Record<string, string>>,
  bytes: Uint8Array,
  random: Random,
): ObjectBody {
  if (Object.keys(metadata).length === 0) {
    const query = { uploadType: 'media', name: object };
    return { query, headers: { 'content-type': BYTES }, body: bytes };
  }
  const boundary = Buffer.from(random.bytes(16)).toString('hex');
  const note = JSON.stringify({ name: object, metadata });
  const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${note}\r\n--${boundary}\r\ncontent-type: ${BYTES}\r\n\r\n`;
  return {
    query: { uploadType: 'multipart' },
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
