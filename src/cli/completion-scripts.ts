/**
 * Scripts that make a shell complete wolffia's words. Each hands the words on the line to `wolffia __complete`, which prints a candidate a
 * line, with a tab and a few words about it, and then `:files` or `:done`; so a script never grows old.
 */

const BASH = `# wolffia in bash: source <(wolffia completion bash)
_wolffia() {
  # Bash has broken the words at = and : too; those with no space between them are one.
  local rest=\${COMP_LINE:0:COMP_POINT} words=() at=-1 i word line
  for ((i = 0; i <= COMP_CWORD; i++)); do
    if ((at < 0)) || [[ $rest == [[:space:]]* ]]; then
      words[++at]=''
      rest=\${rest#"\${rest%%[![:space:]]*}"}
    fi
    word=\${COMP_WORDS[i]}
    ((i == COMP_CWORD)) && word=$rest
    words[at]+=$word
    rest=\${rest#"$word"}
  done
  local typed=\${words[at]} lines=()
  mapfile -t lines < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  local breaks=\${COMP_WORDBREAKS//[^=:]/}
  local kept=''
  [[ -n $breaks ]] && kept=\${typed%"\${typed##*[$breaks]}"}
  COMPREPLY=()
  for line in "\${lines[@]}"; do
    case $line in
      :files) compopt -o default 2>/dev/null ;;
      :done) ;;
      *)
        line=\${line%%$'\\t'*}
        [[ $line == *= ]] && compopt -o nospace 2>/dev/null
        COMPREPLY+=("\${line#"$kept"}")
        ;;
    esac
  done
}
complete -F _wolffia wolffia
`

const ZSH = `#compdef wolffia
# wolffia in zsh: source <(wolffia completion zsh), or as _wolffia in a folder of $fpath
_wolffia() {
  local -a lines whole open
  local line text
  lines=("\${(@f)$(\${words[1]} __complete -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
  for line in "\${(@)lines}"; do
    [[ $line == (|:files|:done) ]] && continue
    text=\${\${line%%$'\\t'*}//:/\\\\:}
    [[ $line == *$'\\t'* ]] && text+=":\${line#*$'\\t'}"
    if [[ \${line%%$'\\t'*} == *= ]]; then open+=("$text"); else whole+=("$text"); fi
  done
  (($#whole)) && _describe wolffia whole
  (($#open)) && _describe wolffia open -S ''
  [[ \${lines[-1]} == :files ]] && _files
}
if [[ \${funcstack[1]} == _wolffia ]]; then _wolffia "$@"; else compdef _wolffia wolffia; fi
`

const FISH = `# wolffia in fish: wolffia completion fish | source
function __wolffia_complete
  set -l words (commandline -opc)
  set -l typed (commandline -ct)
  for line in ($words[1] __complete -- $words[2..-1] "$typed" 2>/dev/null)
    switch $line
      case :files
        __fish_complete_path "$typed"
      case :done
      case '*'
        echo $line
    end
  end
end
complete -c wolffia -f -a '(__wolffia_complete)'
`

/** By the name of the shell. */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }
