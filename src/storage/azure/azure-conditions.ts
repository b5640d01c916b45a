/** Which answers of Azure are successes, and which say that a condition did not hold. */
import type { WriteCondition } from '../../ports/place.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import { parseAzureError } from './azure-answers.ts';

export function isSuccess({ head }: PlainAnswer): boolean {
  return head.status >= 200 && head.status < 300;
}

/** Of a blob that is there although there was to be none it is 409, of others 412. */
export function isConflict(answer: PlainAnswer, condition: WriteCondition): boolean {
  switch (condition.type) {
    case 'any':
      return false;
    case 'create':
      return answer.head.status === 412 || codeOf(answer) === 'BlobAlreadyExists';
    case 'replace':
      return answer.head.status === 412 || isMissingBlob(answer);
    default:
      return condition satisfies never;
  }
}

/** The container is there, but not the blob. */
export function isMissingBlob(answer: PlainAnswer): boolean {
  return answer.head.status === 404 && codeOf(answer) !== 'ContainerNotFound';
}

/** Blocks that are to be put together are not there. */
export function isMissingBlock(answer: PlainAnswer): boolean {
  return answer.head.status === 400 && codeOf(answer) === 'InvalidBlockList';
}

function codeOf({ head, body }: PlainAnswer): string {
  return parseAzureError(head, body.toString('utf8', 0, 16_384)).code;
}
