/**
 * The fields that manifests in `ops/kubernetes` may have, by kind, with the type of each: a closed list, so
 * that a misspelt or misplaced field is found without a cluster. It is a part of the API reference, not the
 * API's own schema; a field that is not in it is looked up there and added. `!` marks what a kind must have.
 */

/** A leaf tests its value; an object lists fields; one element in brackets is a list of such. */
type Shape = ((value: unknown) => boolean) | { readonly [field: string]: Shape } | readonly [Shape];

const text = (value: unknown): boolean => typeof value === 'string' && value !== '';
const whole = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const yes = (value: unknown): boolean => typeof value === 'boolean';
const oneOf =
  (...words: readonly string[]) =>
  (value: unknown): boolean =>
    words.includes(String(value));
const matching =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    typeof value === 'string' && pattern.test(value);
/** A label's value; the name of a port, a volume, an object. */
const name = matching(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
const quantity = matching(/^\d+(\.\d+)?(m|[KMGT]i?)?$/);
const port = (value: unknown): boolean =>
  name(value) || (whole(value) && Number(value) > 0 && Number(value) < 65_536);
const texts = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.values(value).every(text);

const METADATA: Shape = { 'name!': name, 'namespace!': name, labels: texts, annotations: texts };
const SELECTOR: Shape = { 'matchLabels!': texts };
const PROBE: Shape = {
  'httpGet!': { 'path!': matching(/^\//), 'port!': port, scheme: oneOf('HTTP', 'HTTPS') },
  initialDelaySeconds: whole,
  periodSeconds: whole,
  failureThreshold: whole,
};
const CONTAINER: Shape = {
  'name!': name,
  'image!': matching(/^[a-z0-9./-]+:[\w.-]+$/),
  'args!': [text],
  env: [
    {
      'name!': matching(/^[A-Z][A-Z0-9_]*$/),
      value: text,
      valueFrom: { 'fieldRef!': { 'fieldPath!': text } },
    },
  ],
  ports: [{ 'name!': name, 'containerPort!': port }],
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  'resources!': { 'requests!': { cpu: quantity, memory: quantity }, limits: { memory: quantity } },
  'securityContext!': {
    allowPrivilegeEscalation: yes,
    readOnlyRootFilesystem: yes,
    capabilities: { drop: [text] },
  },
  volumeMounts: [{ 'name!': name, 'mountPath!': matching(/^\//), readOnly: yes }],
};
const POD: Shape = {
  metadata: { 'labels!': texts, annotations: texts },
  'spec!': {
    restartPolicy: oneOf('Always', 'OnFailure', 'Never'),
    terminationGracePeriodSeconds: whole,
    automountServiceAccountToken: yes,
    securityContext: {
      runAsNonRoot: yes,
      runAsUser: whole,
      fsGroup: whole,
      seccompProfile: { 'type!': oneOf('RuntimeDefault') },
    },
    topologySpreadConstraints: [
      {
        'maxSkew!': whole,
        'topologyKey!': text,
        'whenUnsatisfiable!': oneOf('DoNotSchedule', 'ScheduleAnyway'),
        labelSelector: SELECTOR,
      },
    ],
    initContainers: [CONTAINER],
    'containers!': [CONTAINER],
    volumes: [
      {
        'name!': name,
        secret: { 'secretName!': name },
        configMap: { 'name!': name },
        persistentVolumeClaim: { 'claimName!': name },
        emptyDir: {},
      },
    ],
  },
};

const KINDS: Readonly<Record<string, Shape>> = {
  'v1 Service': {
    clusterIP: oneOf('None'),
    publishNotReadyAddresses: yes,
    'selector!': texts,
    'ports!': [{ 'name!': name, 'port!': port }],
  },
  'policy/v1 PodDisruptionBudget': { 'minAvailable!': whole, 'selector!': SELECTOR },
  'networking.k8s.io/v1 NetworkPolicy': {
    'podSelector!': SELECTOR,
    policyTypes: [oneOf('Ingress', 'Egress')],
    ingress: [
      {
        from: [{ podSelector: SELECTOR, namespaceSelector: SELECTOR }],
        ports: [{ 'port!': port, protocol: oneOf('TCP') }],
      },
    ],
  },
  'apps/v1 StatefulSet': {
    'serviceName!': name,
    replicas: whole,
    podManagementPolicy: oneOf('Parallel', 'OrderedReady'),
    updateStrategy: { 'type!': oneOf('RollingUpdate', 'OnDelete') },
    minReadySeconds: whole,
    'selector!': SELECTOR,
    'template!': POD,
  },
  'batch/v1 Job': {
    parallelism: whole,
    completions: whole,
    backoffLimit: whole,
    podFailurePolicy: {
      'rules!': [
        {
          'action!': oneOf('FailJob', 'Ignore', 'Count'),
          onExitCodes: {
            containerName: name,
            'operator!': oneOf('In', 'NotIn'),
            'values!': [whole],
          },
          onPodConditions: [{ 'type!': text, status: oneOf('True', 'False') }],
        },
      ],
    },
    'template!': POD,
  },
};

/** What does not fit, as paths; empty where all does. */
export function misfits(manifest: unknown): readonly string[] {
  const { apiVersion, kind } = manifest as { readonly apiVersion?: string; readonly kind?: string };
  const spec = KINDS[`${apiVersion} ${kind}`];
  if (spec === undefined) return [`kind ${apiVersion} ${kind} is not known here`];
  const shape = { 'apiVersion!': text, 'kind!': text, 'metadata!': METADATA, 'spec!': spec };
  return misfitsOf(manifest, shape, `${kind}`);
}

function misfitsOf(value: unknown, shape: Shape, at: string): readonly string[] {
  if (typeof shape === 'function') {
    return shape(value) ? [] : [`${at}: ${JSON.stringify(value)} does not fit`];
  }
  if (isList(shape)) {
    if (!Array.isArray(value) || value.length === 0) return [`${at}: not a list with elements`];
    return value.flatMap((one, index) => misfitsOf(one, shape[0], `${at}[${index}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [`${at}: not an object`];
  }
  const fields = new Map(Object.entries(shape).map(([key, of]) => [key.replace('!', ''), of]));
  const missing = Object.keys(shape)
    .filter((key) => key.endsWith('!') && !(key.slice(0, -1) in value))
    .map((key) => `${at}.${key.slice(0, -1)} is missing`);
  const wrong = Object.entries(value).flatMap(([key, inner]) => {
    const of = fields.get(key);
    return of === undefined ? [`${at}.${key} is not known`] : misfitsOf(inner, of, `${at}.${key}`);
  });
  return [...missing, ...wrong];
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}
