/** The part of the error table that is about object stores and web servers. */
export const OBJECT_ERROR_KINDS = {
  object_missing: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy: 'Correct the bucket or the key that the message names, or put the object there.',
  },
  object_changed: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Restore the object, or pin what is there now with mx8 resolve LINK@refresh.',
  },
  object_exists: {
    status: 'ALREADY_EXISTS',
    retryable: false,
    remedy: 'Choose another name, or remove the object first.',
  },
  object_denied: {
    status: 'PERMISSION_DENIED',
    retryable: false,
    remedy:
      'Allow the credentials to read, list or write there, as the message says, or give others.',
  },
  object_credentials_missing: {
    status: 'PERMISSION_DENIED',
    retryable: false,
    remedy:
      'Set what the message names (AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS and so on), allow the machine’s own with --s3-machine-credentials or --gs-machine-credentials, or read public buckets with --s3-anonymous or --gs-anonymous.',
  },
  object_store_unavailable: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Look whether the store answers at all and is not overloaded, then try again.',
  },
  object_answer_invalid: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Mend the server, or the proxy before it, that gave the answer in the message.',
  },
  address_refused: {
    status: 'PERMISSION_DENIED',
    retryable: false,
    remedy: 'Correct the link: it leads, itself or by a redirect, to where no data are read from.',
  },
} as const;
