// A whole configuration as it is written; the published JSON Schema is made of this.
import { z } from 'zod';
import { defaultMostDestinations, defaultSocketPath, logLevels, roles } from '../../model/declared.ts';
import { type SettingName, settingNames, settingRange } from '../../model/settings.ts';
import { markRule } from './marks.ts';
import { choice, integer, interfaceName, listenEndpoint, oneOrMore, prefix, seconds, text } from './scalars.ts';
import { defaults, service } from './service.ts';

const settings = z.strictObject(
  Object.fromEntries(
    settingNames.map((name) => {
      const { least, most } = settingRange(name);
      return [name, integer('a number', least, most).optional()];
    }),
  ) as Record<SettingName, z.ZodOptional<z.ZodInt>>,
);

const longestTimeoutS = 31 * 86_400;
const timeouts = z.strictObject({
  tcp: seconds(1, longestTimeoutS).optional(),
  tcp_fin: seconds(1, longestTimeoutS).optional(),
  udp: seconds(1, longestTimeoutS).optional(),
});

const token = z.strictObject({
  name: text('a name'),
  role: choice(roles),
  sha256: z
    .string({ error: 'expected 64 hexadecimal digits' })
    .regex(/^[0-9a-f]{64}$/, { error: 'expected 64 hexadecimal digits' })
    .meta({ description: "the token's, as `printf %s TOKEN | sha256sum` prints it" }),
});

const api = z.strictObject({
  socket: z
    .union([
      text('a path').transform((path) => ({ path, group: undefined })),
      z.strictObject({ path: text('a path').default(defaultSocketPath), group: text('a group').optional() }),
    ])
    .optional()
    .meta({ description: `a unix socket; ${defaultSocketPath} by default` }),
  listen: listenEndpoint.optional().meta({ description: 'TCP as well; needs tls unless it is a loopback address' }),
  tls: z
    .strictObject({
      certificate: text('a file'),
      key: text('a file'),
      client_ca: text('a file').optional().meta({ description: 'clients need a certificate of these' }),
    })
    .optional(),
  tokens: z.array(token).optional(),
});

/** As many as a director holds. */
const mostDestinations = 1 << 20;

const metrics = z
  .union([
    listenEndpoint.transform((listen) => ({ listen, path: undefined, destinations: undefined })),
    z.strictObject({
      listen: listenEndpoint,
      path: z
        .string()
        .regex(/^\/\S*$/, { error: 'expected a path, from / on' })
        .optional(),
      destinations: integer('a number of destinations', 0, mostDestinations)
        .optional()
        .meta({ description: `with more there are metrics of services only; ${defaultMostDestinations} by default` }),
    }),
  ])
  .meta({ description: 'where Prometheus finds metrics; /metrics of the API by default' });

export const file = z
  .strictObject({
    defaults: defaults.optional(),
    services: z.array(service).optional(),
    marks: z.array(markRule).optional().meta({ description: 'rules that give packets marks, in their order' }),
    addresses: z
      .record(interfaceName, oneOrMore(prefix))
      .optional()
      .meta({ description: 'VIPs to hold, by the interface' }),
    settings: settings.optional().meta({ description: 'what IPVS has under net.ipv4.vs' }),
    timeouts: timeouts.optional().meta({ description: 'of idle connections, as ipvsadm --set' }),
    api: api.optional(),
    metrics: metrics.optional(),
    log: z.strictObject({ level: choice(logLevels).optional() }).optional(),
  })
  .meta({ title: 'Fairlead configuration' });
export type WrittenFile = z.output<typeof file>;
