// keepalived's checkers as health checks.
import { type Draft, type Keywords, type Losses, readBlock } from './draft.ts';
import { readTruth, type Timing, type TimingDefaults, timingDraft, timingKeywords } from './timing.ts';
import type { Statement } from './tree.ts';
import { splitCommand } from './words.ts';

/** What a checker takes from its real server, its virtual server and the file. */
export interface Surroundings {
  readonly timing: Timing;
  readonly virtualhost: string | undefined;
  /** keepalived probes the RIP, whatever way clients' packets go. */
  readonly isDirect: boolean;
  /** Of the real server, where its destination has another. */
  readonly port: number | undefined;
  readonly tls: Draft;
}

interface Context {
  readonly timing: Timing;
  /** Of the check, beside its kind. */
  readonly target: Draft;
  /** What each `host` of a mail check says otherwise: all of them have to answer. */
  readonly hosts: Draft[];
  /** Of the kind. */
  readonly settings: Draft;
  readonly urls: Draft[];
  readonly surroundings: Surroundings;
}

interface Kind {
  readonly keywords: (losses: Losses) => Keywords<Context>;
  readonly defaults: TimingDefaults;
  /** What it comes to; none if it can't be. */
  readonly checks: (context: Context, statement: Statement, losses: Losses) => readonly Draft[];
}

const common: TimingDefaults = { retry: 1, delayBeforeRetryMs: 1000 };

export const checkerKinds: Readonly<Record<string, Kind>> = {
  TCP_CHECK: { keywords: () => ({}), defaults: common, checks: () => [{ tcp: null }] },
  PING_CHECK: { keywords: () => ({}), defaults: common, checks: () => [{ icmp: null }] },
  HTTP_GET: { keywords: httpKeywords, defaults: { retry: 1, delayBeforeRetryMs: 3000 }, checks: httpChecks('http') },
  SSL_GET: { keywords: httpKeywords, defaults: { retry: 1, delayBeforeRetryMs: 3000 }, checks: httpChecks('https') },
  SMTP_CHECK: {
    keywords: (losses) => ({
      helo_name: setting('helo'),
      host: (statement, context) => {
        const host = { ...context, target: {} };
        readBlock(statement, targetKeywords(losses), host, losses);
        context.hosts.push(host.target);
      },
    }),
    defaults: common,
    checks: ({ settings }) => [{ smtp: orNothing(settings) }],
  },
  DNS_CHECK: {
    keywords: () => ({ type: setting('type', (word) => word.toUpperCase()), name: setting('name') }),
    defaults: { retry: 3, delayBeforeRetryMs: undefined },
    checks: ({ settings }) => [{ dns: { name: '.', type: 'SOA', ...settings } }],
  },
  UDP_CHECK: {
    keywords: (losses) => ({
      payload: (statement, { settings }) => {
        settings.send_hex = statement.words.flatMap(hexBytes).join('');
      },
      require_reply: (statement, { settings }) => {
        settings.reply = 'required';
        if (statement.words.length > 0) losses.lose(statement, 'any answer passes: its bytes are not compared');
      },
      min_reply_length: (statement) => losses.lose(statement, 'the length of answers is not looked at'),
      max_reply_length: (statement) => losses.lose(statement, 'the length of answers is not looked at'),
    }),
    defaults: common,
    checks: ({ settings }) => [{ udp: orNothing(settings) }],
  },
  MISC_CHECK: {
    keywords: (losses) => ({
      misc_path: setting('command'),
      misc_timeout: (statement, { timing }) => {
        timing.connectTimeoutMs = Number(statement.words[0]) * 1000;
      },
      misc_dynamic: (_, { settings }) => {
        settings.sets_weight = true;
      },
      user: (statement, { settings }) => {
        settings.user = statement.words[0];
        if (statement.words.length > 1) losses.lose(statement, "the group is the user's own");
      },
    }),
    defaults: { retry: 0, delayBeforeRetryMs: 1000 },
    checks: miscChecks,
  },
};

export function readChecker(statement: Statement, surroundings: Surroundings, losses: Losses): readonly Draft[] {
  const kind = checkerKinds[statement.keyword];
  if (kind === undefined) return [];
  const timing = { ...surroundings.timing };
  const context: Context = { timing, target: {}, hosts: [], settings: {}, urls: [], surroundings };
  // A program's timeout is its own, by default as long as until it runs again.
  if (statement.keyword === 'MISC_CHECK') context.timing.connectTimeoutMs = context.timing.delayLoopMs ?? 60_000;
  const keywords = { ...targetKeywords(losses), ...timingKeywords<Context>(losses), ...kind.keywords(losses) };
  readBlock(statement, keywords, context, losses);
  const checks = kind.checks(context, statement, losses);
  const when = timingDraft(context.timing, kind.defaults, statement, losses);
  const isProbe = statement.keyword !== 'MISC_CHECK';
  const port = isProbe && surroundings.port !== undefined ? { port: surroundings.port } : {};
  const hosts = context.hosts.length === 0 ? [{}] : context.hosts;
  return hosts.flatMap((host) => {
    const target = { ...context.target, ...host };
    const path = surroundings.isDirect && isProbe && target.address === undefined ? { path: 'direct' } : {};
    return checks.map((check) => ({ ...check, ...port, ...when, ...target, ...path }));
  });
}

function targetKeywords(losses: Losses): Keywords<Context> {
  const to =
    (name: string, read: (word: string) => unknown = (word) => word) =>
    (statement: Statement, { target }: Context): void => {
      target[name] = read(statement.words[0] ?? '');
    };
  return {
    connect_ip: to('address'),
    connect_port: to('port', Number),
    bindto: to('source'),
    fwmark: to('mark', Number),
    bind_if: (statement) => losses.lose(statement, 'probes leave by the way that routing has for them'),
    bind_port: (statement) => losses.lose(statement, 'probes have a source port of their own'),
  };
}

function setting(name: string, read: (word: string) => unknown = (word) => word) {
  return ({ words: [word = ''] }: Statement, { settings }: Context): void => {
    settings[name] = read(word);
  };
}

function orNothing(settings: Draft): Draft | null {
  return Object.keys(settings).length === 0 ? null : settings;
}

/** `Ab12f 3` is ab 12 0f 03. */
function hexBytes(word: string): readonly string[] {
  const pairs = word.match(/..?/g) ?? [];
  return pairs.map((pair) => pair.toLowerCase().padStart(2, '0'));
}

function httpKeywords(losses: Losses): Keywords<Context> {
  return {
    url: (statement, { urls }) => {
      const url: Draft = {};
      readBlock(statement, urlKeywords(losses), url, losses);
      urls.push(url);
    },
    virtualhost: setting('host'),
    http_protocol: (statement) => {
      if (statement.words[0] !== '1.1') losses.lose(statement, 'probes speak HTTP/1.1');
    },
    fast_recovery: (statement) => losses.lose(statement, 'each URL is a check of its own, and all are probed at once'),
    enable_sni: (statement, { settings }) => {
      settings.isNamed = readTruth(statement);
    },
    sni_name: setting('name'),
    tls_compliant: (statement) => losses.lose(statement, 'TLS connections are always closed as it asks'),
  };
}

const flagOf: Readonly<Record<string, string>> = { caseless: 'i', multiline: 'm', dotall: 's' };

function urlKeywords(losses: Losses): Keywords<Draft> {
  const unsupported = (statement: Statement): void => losses.lose(statement, 'regular expressions have no such limit');
  return {
    path: ({ words: [word] }, url) => {
      url.path = word;
    },
    digest: ({ words: [word] }, url) => {
      url.md5 = word;
    },
    status_code: ({ words }, url) => {
      const statuses = words.map((word) => (/^\d+$/.test(word) ? Number(word) : word));
      url.status = statuses.length === 1 ? statuses[0] : statuses;
    },
    virtualhost: ({ words: [word] }, url) => {
      url.host = word;
    },
    regex: ({ words }, url) => {
      url.regex = words.join(' ');
    },
    regex_no_match: (_, url) => {
      url.isForbidden = true;
    },
    regex_options: (statement, url) => {
      url.regex_flags = statement.words.map((word) => flagOf[word] ?? '').join('');
      const others = statement.words.filter((word) => flagOf[word] === undefined && word !== 'utf' && word !== 'ucp');
      if (others.length > 0) losses.lose(statement, `there is no ${others.join(' ')}`);
    },
    regex_stack: unsupported,
    regex_min_offset: unsupported,
    regex_max_offset: unsupported,
    tls_compliant: (statement) => losses.lose(statement, 'TLS connections are always closed as it asks'),
  };
}

function httpChecks(kind: 'http' | 'https') {
  return ({ urls, settings, surroundings }: Context, statement: Statement, losses: Losses): readonly Draft[] =>
    (urls.length === 0 ? [{}] : urls).map((url) => {
      const { regex, isForbidden, regex_flags, md5, ...rest } = url;
      const host = url.host ?? settings.host ?? surroundings.virtualhost;
      if (regex !== undefined && md5 !== undefined)
        losses.lose(statement, 'of a digest and a regex the digest is kept');
      const body = md5 === undefined ? regexOf(regex, isForbidden === true, regex_flags, statement, losses) : { md5 };
      const name = settings.name ?? (settings.isNamed ? host : undefined);
      return {
        [kind]: {
          path: '/',
          status: '200-299',
          ...rest,
          ...(host !== undefined && { host }),
          ...body,
          // keepalived looks at no certificate.
          ...(kind === 'https' && { tls: { verify: false, ...(name !== undefined && { name }), ...surroundings.tls } }),
        },
      };
    });
}

function regexOf(source: unknown, isForbidden: boolean, flags: unknown, statement: Statement, losses: Losses): Draft {
  if (typeof source !== 'string') return {};
  try {
    new RegExp(source);
  } catch {
    losses.lose(statement, `the regular expression ${source} is not understood: what answers hold is not looked at`);
    return {};
  }
  return {
    [isForbidden ? 'body_refuse_regex' : 'body_regex']: source,
    ...(typeof flags === 'string' && flags !== '' && { regex_flags: flags }),
  };
}

function miscChecks({ settings }: Context, statement: Statement, losses: Losses): readonly Draft[] {
  const command = splitCommand(String(settings.command ?? ''));
  if (command[0]?.startsWith('/')) return [{ exec: { ...settings, command } }];
  losses.lose(statement, 'a program is named by its whole path, from / on: this check is left out');
  return [];
}
