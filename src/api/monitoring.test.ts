// The dashboard and the alert rules of docs ask for metrics and labels that there are.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ApiStage, openApiStage } from '../../test/api.ts';

const read = (name: string): string => readFileSync(new URL(`../../docs/monitoring/${name}`, import.meta.url), 'utf8');

let stage: ApiStage;
let names: ReadonlySet<string>;

beforeAll(async () => {
  stage = openApiStage('services: [{tcp: "192.0.2.10:80", checks: none, destinations: ["10.1.0.1:8080"]}]\n');
  const text = await stage.metrics.text();
  names = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name));
});

afterAll(() => stage[Symbol.dispose]());

test('the dashboard', () => {
  const { panels } = JSON.parse(read('grafana.json')) as { panels: { targets: { expr: string }[] }[] };
  const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(expressions.length).toBeGreaterThan(10);
  expect(expressions.flatMap(unknownOf)).toEqual([]);
});

test('the alert rules', () => {
  const { groups } = parse(read('alerts.yaml')) as { groups: { rules: { alert: string; expr: string }[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(5);
  expect(rules.flatMap(({ expr }) => unknownOf(expr))).toEqual([]);
});

test('every metric is explained in docs/api.md, and no other', () => {
  const docs = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const explained = [...docs.matchAll(/^\| `(fairlead_\w+)/gm)].map(([, name]) => name);
  expect(explained.sort()).toEqual([...names].sort());
});

function unknownOf(expression: string): readonly string[] {
  return [...expression.matchAll(/\bfairlead_\w+/g)].map(([name]) => name).filter((name) => !names.has(name));
}
