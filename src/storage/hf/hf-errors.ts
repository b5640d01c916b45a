/** What the Hugging Face Hub means by its refusals: it says so in headers. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Verdict } from '../http/authority.ts';
import { judgeStatus } from '../http/http-errors.ts';
import { parseHfLocation } from './hf-location.ts';

export function judgeHub(
  location: string,
  head: ResponseHead,
  body: string,
  hasToken: boolean,
): Verdict {
  const code = printable(head.headers.get('x-error-code') ?? '');
  const message = printable(head.headers.get('x-error-message') ?? body);
  const { repository, revision } = parseHfLocation(location);
  const details = { location, status: head.status };
  if (code === 'GatedRepo') {
    const text = `${location} is in a data set whose owner lets in who asked: ask on the page of ${repository}, then set HF_TOKEN to a token of yours.`;
    return { type: 'error', error: new Mx8Error('object_denied', text, details) };
  }
  // The Hub does not tell strangers what there is.
  if (code === 'RepoNotFound' || head.status === 401) {
    const token = hasToken ? 'it is not for this token' : 'it is private, and HF_TOKEN is not set';
    const text = `There is no data set ${repository}, or ${token}: the Hub answered status ${head.status} about ${location}.`;
    const kind = head.status === 404 ? 'object_missing' : 'object_denied';
    return { type: 'error', error: new Mx8Error(kind, text, details) };
  }
  if (code === 'RevisionNotFound') {
    const text = `${location}: the data set ${repository} has no revision ${revision ?? 'main'}.`;
    return { type: 'error', error: new Mx8Error('object_missing', text, details) };
  }
  return judgeStatus(location, head, [code, message].filter((said) => said !== '').join(': '));
}

function printable(text: string): string {
  return /^[\x20-\x7e]{1,200}$/.exec(text.trim())?.[0] ?? '';
}
