// Completion for bash: one function, which walks the line along a table of commands.
import { type CommandOutline, flatten } from './outline.ts';
import { type Words, wordsOfArgument, wordsOfOption } from './words.ts';

export function bashCompletion(outline: CommandOutline): string {
  const all = flatten(outline);
  return `# Completion of fairlead for bash: source <(fairlead completion bash)
_fairlead() {
  local line="\${COMP_LINE:0:COMP_POINT}" path='' before='' given='' cur word i count=0
  local -a typed
  # Not COMP_WORDS, which are split at each colon.
  read -ra typed <<<"$line"
  [[ $line == *[[:space:]] ]] && typed+=('')
  cur="\${typed[-1]}"
  for ((i = 1; i < \${#typed[@]} - 1; i++)); do
    word="\${typed[i]}"
    if _fairlead_takes_value "$path" "$before"; then before=''; continue; fi
    before="$word"
    [[ $word == -* ]] && continue
    if _fairlead_is_command "$path $word"; then path+=" $word"; else given="\${given:-$word}"; count=$((count + 1)); fi
  done
  local IFS=$'\\n'
  if _fairlead_takes_value "$path" "$before"; then
    _fairlead_values "$path" "$before"
  elif [[ $cur == -* ]]; then
    _fairlead_options "$path"
  else
    _fairlead_words "$path" "$count" "$given"
  fi
  # What is before the last colon stays as it is.
  local kept="\${cur%"\${cur##*[:=]}"}"
  [[ -z $kept ]] || COMPREPLY=("\${COMPREPLY[@]#"$kept"}")
}

_fairlead_offer() { COMPREPLY=($(compgen -W "$*" -- "$cur")); }
_fairlead_files() { compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); }

_fairlead_is_command() {
  case "$1" in
${pattern(all.filter(({ path }) => path.length > 0).map(({ path }) => key(path)))}) return 0 ;;
  esac
  return 1
}

_fairlead_takes_value() {
  case "$1 $2" in
${pattern(all.flatMap(valueOptions).map(({ at }) => at))}) return 0 ;;
  esac
  return 1
}

_fairlead_values() {
  case "$1 $2" in
${cases(all.flatMap(valueOptions).map(({ at, words }) => [at, offer(words)]))}
  esac
}

_fairlead_options() {
  case "$1" in
${cases(all.map((command) => [key(command.path), `_fairlead_offer ${list(command.options.flatMap(({ names }) => names))}`]))}
  esac
}

_fairlead_words() {
  case "$1 $2" in
${cases(all.flatMap(positions))}
  esac
}

complete -o nosort -F _fairlead fairlead 2>/dev/null || complete -F _fairlead fairlead
`;
}

/** As the function above collects it: a space before each word. */
function key(path: readonly string[]): string {
  return path.map((word) => ` ${word}`).join('');
}

function valueOptions({ path, options }: CommandOutline): readonly { readonly at: string; readonly words: Words }[] {
  return options
    .filter(({ value }) => value !== undefined)
    .flatMap((option) => option.names.map((name) => ({ at: `${key(path)} ${name}`, words: wordsOfOption(option) })));
}

/** By how many words were given before; of the last argument, if it may be repeated, any more. */
function positions(command: CommandOutline): readonly (readonly [string, string])[] {
  const { path, commands } = command;
  if (commands.length > 0)
    return [[`${key(path)} 0`, `_fairlead_offer ${list(commands.map((one) => one.path.at(-1) ?? ''))}`]];
  return command.arguments.map((argument, index) => [
    argument.isVariadic ? `${key(path)} *` : `${key(path)} ${index}`,
    offer(wordsOfArgument(argument)),
  ]);
}

function offer(words: Words): string {
  switch (words.kind) {
    case 'choices':
      return `_fairlead_offer ${list(words.choices)}`;
    case 'names':
      // Of the service that was given before.
      return `_fairlead_offer "$(fairlead names ${words.of}${words.of === 'destinations' ? ' $3' : ''} 2>/dev/null)"`;
    case 'interfaces':
      return '_fairlead_offer "$(ls /sys/class/net)"';
    case 'files':
      return '_fairlead_files';
    case 'none':
      return ':';
  }
}

function list(words: readonly string[]): string {
  return `$'${words.join('\\n')}'`;
}

function pattern(keys: readonly string[]): string {
  return `    ${keys.map(quote).join(' | ')}`;
}

function cases(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([at, command]) => `    ${quote(at)}) ${command} ;;`).join('\n');
}

/** A star at the end stays one. */
function quote(text: string): string {
  return text.endsWith(' *') ? `'${text.slice(0, -1)}'*` : `'${text}'`;
}
