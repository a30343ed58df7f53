// What Prometheus reads, and that docs, dashboard and alert rules ask for metrics and labels that there are, and explain them all.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ApiStage, openApiStage } from '../../test/api.ts';
import { labelText } from './metric.ts';
import { metrics } from './metrics.ts';

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const labelsOf = new Map(metrics.map(({ name, labels }) => [name, labels]));
const service = 'service="tcp 192.0.2.10:80"';
const file = (more = ''): string => `services:
  - tcp: 192.0.2.10:80
    checks: none
    destinations: ["10.1.0.1:8080", {rip: "10.1.0.2:8080", weight: 5}]
${more}`;

async function readText({ metrics: read }: ApiStage): Promise<string> {
  let text = '';
  for await (const piece of await read.read()) text += piece;
  return text;
}

describe('a scrape', () => {
  let stage: ApiStage;
  let text: string;

  beforeAll(async () => {
    stage = openApiStage(file());
    text = await readText(stage);
  });

  afterAll(() => stage[Symbol.dispose]());

  const value = (line: string): string | undefined =>
    text
      .split('\n')
      .find((one) => one.startsWith(`fairlead_${line} `))
      ?.split(' ')
      .at(-1);

  test('has each metric once, with its own labels, and its type before it', () => {
    const lines = text.trimEnd().split('\n');
    const types = lines.flatMap((line) => /^# TYPE (\S+) (?:counter|gauge)$/.exec(line)?.[1] ?? []);
    expect(types).toEqual(metrics.map(({ name }) => name));
    let current = '';
    for (const line of lines) {
      const [, name = '', pairs = ''] = /^(\w+)(?:\{(.*)\})? [-+.e\d]+$/.exec(line) ?? [];
      if (line.startsWith('# TYPE ')) current = line.split(' ')[2] ?? '';
      if (line.startsWith('# ')) continue;
      expect(name, line).toBe(current);
      const names = [...pairs.matchAll(/(\w+)="(?:[^"\\\n]|\\.)*"(?:,|$)/g)].map(([, one]) => one);
      expect(names, line).toEqual(labelsOf.get(name));
    }
  });

  test.each([
    [`service_info{${service},scheduler="wlc",declared="yes"}`, '1'],
    [`service_quorum{${service}}`, '1'],
    [`service_destinations{${service}}`, '2'],
    [`service_destinations_up{${service}}`, '2'],
    [`destination_up{${service},destination="10.1.0.2:8080"}`, '1'],
    [`destination_weight{${service},destination="10.1.0.2:8080"}`, '5'],
    ['not_forwarded_packets_total{reason="no-route"}', '3'],
    ['events_total{event="expired"}', '7'],
    ['table_size{table="connections"}', '10'],
    ['interface_attached{interface="eth0",hook="tc"}', '1'],
    ['destination_series_omitted', '0'],
    ['reload_successful', '1'],
  ])('%s is %s', (line, wanted) => {
    expect(value(line)).toBe(wanted);
  });

  test('tells a configuration that was refused, until one is taken', async () => {
    stage.text = 'services: [{tcp: 192.0.2.10}]';
    expect(() => stage.daemon.reload()).toThrow();
    text = await readText(stage);
    expect([value('reload_successful'), value('reloads_total{result="refused"}')]).toEqual(['0', '1']);
    expect(stage.journal.last(1)).toMatchObject([{ who: 'fairlead', what: 'refused' }]);
    stage.text = file('metrics: {listen: "127.0.0.1:9119", destinations: 1}\n');
    stage.daemon.reload();
    text = await readText(stage);
    expect([value('reload_successful'), value('reloads_total{result="taken"}')]).toEqual(['1', '1']);
  });

  test('leaves destinations out where they are more than is declared, and tells their services still', () => {
    expect(value('destination_series_omitted')).toBe('1');
    expect(text).not.toContain('destination=');
    expect(value(`service_destinations_up{${service}}`)).toBe('2');
  });
});

test('labels are escaped', () => {
  expect(labelText({ a: 'x"y\\z\n', b: '' })).toBe('{a="x\\"y\\\\z\\n",b=""}');
});

describe('docs', () => {
  test('the dashboard', () => {
    const { panels, templating } = JSON.parse(read('monitoring/grafana.json')) as Dashboard;
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const queries = templating.list.map(({ query }) => (typeof query === 'string' ? query : (query?.query ?? '')));
    expect(expressions.length).toBeGreaterThan(10);
    expect([...expressions, ...queries].flatMap(unknownOf)).toEqual([]);
  });

  test('the alert rules', () => {
    const { groups } = parse(read('monitoring/alerts.yaml')) as Alerts;
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(5);
    expect(rules.flatMap(({ expr }) => unknownOf(expr))).toEqual([]);
    // What a rule says has the labels that its metrics have.
    for (const { alert, expr, annotations } of rules) {
      const known = [...expr.matchAll(/\bfairlead_\w+/g)].flatMap(([name]) => labelsOf.get(name) ?? []);
      const said = [
        ...Object.values(annotations)
          .join(' ')
          .matchAll(/\$labels\.(\w+)/g),
      ].map(([, label]) => label);
      for (const label of said) expect([...known, 'instance', 'job'], alert).toContain(label);
    }
  });

  test('every metric is explained with its labels, and no other', () => {
    const explained = [...read('api.md').matchAll(/^\| `(fairlead_\w+)` \|([^|]*)\|/gm)];
    const written = explained.map(([, name, labels = '']) => [
      name,
      labels.split(/[\s,]+/).filter((one) => one !== ''),
    ]);
    expect(written.toSorted()).toEqual(metrics.map(({ name, labels }) => [name, [...labels]]).toSorted());
  });
});

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  readonly templating: { readonly list: readonly { readonly query?: string | { readonly query: string } }[] };
}

interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}

/** Metrics that are asked for and are none, and labels that their metrics have not. */
function unknownOf(expression: string): readonly string[] {
  return [...expression.matchAll(/\b(fairlead_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name = '', matchers = '']) => {
    const labels = labelsOf.get(name);
    if (labels === undefined) return [name];
    const asked = [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
    return asked.filter((label) => ![...labels, 'instance', 'job'].includes(label)).map((label) => `${name}.${label}`);
  });
}
