/** How an S3 service is reached. No secrets: this is handed to worker processes and written to logs. */
export interface S3Options {
  /** null: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the profile's, else Amazon's of the region. */
  readonly endpointUrl: string | null;
  readonly forcePathStyle: boolean;
  /** null: `AWS_REGION` or the profile's, else us-east-1; Amazon’s buckets elsewhere say so themselves. */
  readonly region: string | null;
  /** Requests without a signature, for public buckets. */
  readonly anonymous: boolean;
  readonly requesterPays: boolean;
  /** Whether the machine or container is asked for credentials when there are no others. */
  readonly machineCredentials: boolean;
}

export const S3_DEFAULTS: S3Options = {
  endpointUrl: null,
  forcePathStyle: false,
  region: null,
  anonymous: false,
  requesterPays: false,
  machineCredentials: false,
};
