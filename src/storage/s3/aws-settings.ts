/** What Amazon's own variables and shared files say, read the way their tools read them. */
export interface AwsSettings {
  readonly region: string;
  readonly endpointUrl: string | null;
}

const REGION_DEFAULT = 'us-east-1';

export async function awsSettings(): Promise<AwsSettings> {
  const { NODE_REGION_CONFIG_OPTIONS, loadConfig } = await import('@smithy/core/config');
  const region = loadConfig<string>({ ...NODE_REGION_CONFIG_OPTIONS, default: REGION_DEFAULT });
  const endpoint = loadConfig<string>({
    environmentVariableSelector: (variables) =>
      variables['AWS_ENDPOINT_URL_S3'] ?? variables['AWS_ENDPOINT_URL'],
    configFileSelector: (profile) => profile['endpoint_url'],
    default: '',
  });
  const endpointUrl = await endpoint();
  return { region: await region(), endpointUrl: endpointUrl === '' ? null : endpointUrl };
}
