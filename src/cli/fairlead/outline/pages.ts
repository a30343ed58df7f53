// The manual pages of all commands, in man's own macros: fairlead(8), and one for each command with what it takes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FairleadError } from '../../../model/error.ts';
import { version } from '../version.ts';
import { type ArgumentOutline, type CommandOutline, flatten, type OptionOutline } from './outline.ts';

export function writePages(folder: string, outline: CommandOutline): void {
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of pages(outline)) writeFileSync(join(folder, `${name}.8`), text);
}

/** Throws bad-input where there is no such command. */
export function findPage(outline: CommandOutline, words: readonly string[]): string {
  const found = pages(outline).find(({ name }) => name === pageName(words));
  if (found !== undefined) return found.text;
  throw new FairleadError('bad-input', `there is no command ${JSON.stringify(words.join(' '))}`, {
    hint: "'fairlead --help' lists them",
  });
}

export interface Page {
  /** `fairlead-set-weight`. */
  readonly name: string;
  readonly text: string;
}

export function pages(outline: CommandOutline): readonly Page[] {
  const all = flatten(outline);
  return all.map((command) => {
    const { path, description } = command;
    const name = pageName(path);
    const others = all.filter((one) => one !== command && (path.length === 0 || isNear(one.path, path)));
    const lines = [
      `.TH ${name.toUpperCase()} 8 "" "Fairlead ${version}" "Fairlead"`,
      '.SH NAME',
      `${roff(name)} \\- ${roff(summaryOf(description))}`,
      '.SH SYNOPSIS',
      ...synopsis(command),
      '.SH DESCRIPTION',
      roff(sentence(description)),
      ...section('COMMANDS', command.commands.flatMap(commandLines)),
      ...section('ARGUMENTS', command.arguments.filter(hasWords).flatMap(argumentLines)),
      ...section('OPTIONS', command.options.flatMap(optionLines)),
      ...section('EXIT STATUS', path.length === 0 ? exitStatus : []),
      ...section('FILES', path.length === 0 ? files : []),
      ...section('SEE ALSO', [others.map((one) => `\\fB${roff(pageName(one.path))}\\fR(8)`).join(',\n')]),
    ];
    return { name, text: `${lines.join('\n')}\n` };
  });
}

const exitStatus = [
  '0 when it is done; 1 when it failed, and then nothing has changed; 2 when the command line can not be read. What went',
  'wrong, what was expected and where is on standard error.',
];

const files = [
  ...['.TP', '\\fI/etc/fairlead/fairlead.yaml\\fR', 'what the service declares'],
  ...['.TP', '\\fI/run/fairlead/api.sock\\fR', "the daemon's API"],
  ...['.TP', '\\fI/run/fairlead/bpf\\fR', 'the data plane, by network namespaces'],
];

function pageName(path: readonly string[]): string {
  return ['fairlead', ...path].join('-');
}

/** The one above, and those below. */
function isNear(one: readonly string[], path: readonly string[]): boolean {
  const [shorter, longer] = one.length < path.length ? [one, path] : [path, one];
  return longer.length === shorter.length + 1 && shorter.every((word, index) => longer[index] === word);
}

function synopsis({ path, commands, options, arguments: words }: CommandOutline): readonly string[] {
  const mandatory = options
    .filter(({ isMandatory }) => isMandatory)
    .map(({ names, value = '' }) => `\\fB${roff(names.at(-1) ?? '')}\\fR \\fI${roff(value)}\\fR`);
  const all = [
    `\\fB${roff(['fairlead', ...path].join(' '))}\\fR`,
    ...(options.length > mandatory.length ? ['[\\fIoptions\\fR]'] : []),
    ...mandatory,
    ...(commands.length > 0 ? ['\\fIcommand\\fR'] : words.map(argumentWord)),
  ];
  return [all.join(' ')];
}

function argumentWord({ name, isRequired, isVariadic }: ArgumentOutline): string {
  const word = `\\fI${roff(name)}\\fR${isVariadic ? ' ...' : ''}`;
  return isRequired ? word : `[${word}]`;
}

function commandLines({ path, description }: CommandOutline): readonly string[] {
  return ['.TP', `\\fB${roff(pageName(path))}\\fR(8)`, roff(description)];
}

function hasWords({ description, choices }: ArgumentOutline): boolean {
  return description !== '' || choices.length > 0;
}

function argumentLines({ name, description, choices }: ArgumentOutline): readonly string[] {
  return ['.TP', `\\fI${roff(name)}\\fR`, roff(withChoices(description, choices, undefined))];
}

function optionLines({ names, value, description, choices, defaultValue }: OptionOutline): readonly string[] {
  const taken = value === undefined ? '' : ` \\fI${roff(value)}\\fR`;
  const tag = names.map((name) => `\\fB${roff(name)}\\fR${taken}`).join(', ');
  return ['.TP', tag, roff(withChoices(description, choices, defaultValue))];
}

function withChoices(text: string, choices: readonly string[], defaultValue: string | undefined): string {
  const one = choices.length === 0 ? [] : [`one of ${choices.join(', ')}`];
  const otherwise = defaultValue === undefined ? [] : [`${defaultValue} by default`];
  return [text, ...one, ...otherwise].filter((part) => part !== '').join('; ');
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

/** What whatis lists: up to the first colon or full stop. */
function summaryOf(description: string): string {
  return description.split(/[:;]|\.\s/)[0] ?? description;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** Text as it is: no escapes, no requests, and dashes that can be copied. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}
