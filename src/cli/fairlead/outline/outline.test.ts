// Completions and manual pages have every command, argument and option that there is, and shells understand them.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, describe as group, test } from 'vitest';
import { describe } from '../program/program.ts';
import { bashCompletion } from './bash.ts';
import { flatten, outlineAll } from './outline.ts';
import { pages } from './pages.ts';
import { zshCompletion } from './zsh.ts';

const silent = { write: () => undefined };
const outline = outlineAll(describe({ stdout: silent, stderr: silent }, () => undefined));
const all = flatten(outline);
const folder = mkdtempSync(join(tmpdir(), 'fairlead-outline-'));

afterAll(() => rmSync(folder, { recursive: true }));

test('the outline has what commander runs, and the words of doctor and realserver, which read their own', () => {
  const paths = all.map(({ path }) => path.join(' '));
  expect(paths).toEqual(expect.arrayContaining(['', 'get', 'set weight', 'mark import', 'realserver add', 'doctor']));
  expect(paths).not.toContain('names');
  const attach = all.find(({ path }) => path.join() === 'attach');
  expect(attach?.options.find(({ names }) => names.includes('--hook'))).toMatchObject({
    ...{ value: 'hook', choices: ['auto', 'xdp', 'tc'], defaultValue: 'auto' },
  });
  expect(attach?.arguments).toMatchObject([{ name: 'interface', isVariadic: true, isRequired: false }]);
});

group('bash', () => {
  const script = join(folder, 'completion.bash');
  beforeAll(() => writeFileSync(script, bashCompletion(outline)));

  /** What is offered at the end of each line. */
  const complete = (lines: readonly string[]): readonly (readonly string[])[] => {
    // What there is here is asked of this one.
    const program = `
      fairlead() {
        case $2 in
          services) echo 192.0.2.10:80/tcp ;;
          settings) printf '%s\\n' drop_entry drop_packet ;;
          destinations) printf '%s\\n' 10.1.0.1:8080 "of:$3" ;;
        esac
      }
      cd ${folder}
      source ${script}
      for COMP_LINE; do COMP_POINT=1000; COMPREPLY=(); _fairlead; echo "\${COMPREPLY[*]}"; done`;
    const output = execFileSync('bash', ['-uc', program, 'bash', ...lines], { encoding: 'utf8' });
    return output.split('\n').map((line) => line.split(' ').filter((word) => word !== ''));
  };

  test('offers every command and every option', () => {
    const lines = all.flatMap(({ path, commands }) => [
      ['fairlead', ...path, '--'].join(' '),
      ...(commands.length > 0 ? [['fairlead', ...path, ''].join(' ')] : []),
    ]);
    const wanted = all.flatMap<readonly (string | undefined)[]>(({ options, commands }) => [
      options.flatMap(({ names }) => names.filter((name) => name.startsWith('--'))),
      ...(commands.length > 0 ? [commands.map(({ path }) => path.at(-1))] : []),
    ]);
    expect(complete(lines).slice(0, lines.length)).toEqual(wanted);
  });

  test.each<[string, readonly string[]]>([
    ['fairlead get -o ', ['table', 'wide', 'json', 'yaml']],
    ['fairlead get -o w', ['wide']],
    ['fairlead completion ', ['bash', 'zsh']],
    ['fairlead completion bash ', []],
    ['fairlead settings drop_', ['drop_entry', 'drop_packet']],
    ['fairlead drain ', ['192.0.2.10:80/tcp']],
    ['fairlead drain 192.0.2.10:8', ['80/tcp']],
    ['fairlead drain --why disk 192.0.2.10:80/tcp ', ['10.1.0.1:8080', 'of:192.0.2.10:80/tcp']],
    ['fairlead drain 192.0.2.10:80/tcp 10.1.0.1:', ['8080']],
    ['fairlead check comp', ['completion.bash']],
    ['fairlead attach lo', ['lo']],
  ])('offers behind %j', (line, wanted) => {
    const offered = complete([line])[0] ?? [];
    expect(offered).toEqual(wanted);
  });
});

test('zsh has a function for each command, with its options', () => {
  const script = zshCompletion(outline);
  for (const { path, options } of all) {
    const [, body = ''] =
      new RegExp(`^${['_fairlead', ...path].join('_')}\\(\\) \\{\\n([^]*?)\\n\\}`, 'm').exec(script) ?? [];
    for (const { names } of options) for (const name of names) expect(body, path.join(' ')).toContain(`${name}[`);
  }
});

test('there is a page for each command, with all that it takes', () => {
  const found = new Map(pages(outline).map(({ name, text }) => [name, text.replaceAll('\\-', '-')]));
  expect(found.size).toBe(all.length);
  for (const { path, options, arguments: words } of all) {
    const text = found.get(['fairlead', ...path].join('-')) ?? '';
    for (const word of [...options.flatMap(({ names }) => names), ...words.map(({ name }) => name)])
      expect(text, path.join(' ')).toContain(word);
    // No line of text is taken for a request.
    expect(text.split('\n').filter((line) => /^[.']/.test(line) && !/^\.(TH|SH|TP)\b/.test(line))).toEqual([]);
  }
});
