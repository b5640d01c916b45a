/**
 * Keeps credentials out of what is written down: logs, sentences, the coordinator's log, files of outputs. By
 * their shape, so that it holds for texts of anybody: a link in the middle of an error of a library, too. What is
 * looked for is bounded, so that a long text takes no time that grows with its square.
 */
const HIDDEN = '[redacted]';

/**
 * Parameters of a URL that open something: signatures and keys of S3, CloudFront, Google and Azure, tokens under
 * any prefix, passwords. A name ends in one of these; what only holds one (`tokenizer=`) stays readable.
 */
const SECRET_PARAMETER =
  '(?:[a-z0-9._-]{0,64}(?:signature|credential|token|secret|passwo?r?d|api[_-]?key|access[_-]?key(?:[_-]?id)?)|sig|key|auth|authorization|policy|jwt|pwd|hmac)';

const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  // https://user:password@host, and a password with a slash that nobody encoded; no port and a path.
  [
    /([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/@:"']{1,256}:(?!\d{1,5}[/?#,])[^\s@"']{0,1024}@(?=[^\s/])/gi,
    `$1${HIDDEN}@`,
  ],
  // https://token@host: not the bucket of a store, nor what a link is pinned by.
  [/(https?:\/\/)[^\s/@:"'?#]{1,1024}@(?=[^\s/])/gi, `$1${HIDDEN}@`],
  [new RegExp(`([?&;]${SECRET_PARAMETER}=)[^&\\s"'@]+`, 'gi'), `$1${HIDDEN}`],
  // Connection strings of Azure.
  [/\b((?:AccountKey|SharedAccessKey|SharedAccessSignature)=)[^;\s"']+/gi, `$1${HIDDEN}`],
  [/\b(bearer|authorization:\s*\w+)\s+[a-z0-9._~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
  [/\bhf_[A-Za-z0-9]{20,}\b/g, HIDDEN],
];

/** The text without the parts that look like credentials. */
export function redactText(text: string): string {
  let safe = text;
  for (const [shape, replacement] of SECRET_SHAPES) safe = safe.replace(shape, replacement);
  return safe;
}
