/** What a shell does with a machine: one that runs to its end, and one that is served (machine.ts). */

/** Runs the command that follows. QEMU's exit code holds the guest's above its lowest bit, which a failure of its own has alone. */
export const RUN = '"$@"; code=$?; [ $code -le 1 ] || code=$((code >> 1)); exit $code'
/** Prints what a served machine answers up to its record separator, and ends as it says. */
const ANSWER = `while IFS= read -r line; do case $line in *\x1e*) printf %s "\${line%\x1e*}"; exit "\${line##* }";; esac; printf '%s\\n' "$line"; done <"$0.out"`
/** Makes a served machine's fifos, starts it, and waits until it is ready. `$0` is its path, here and below. */
export const START = `mkfifo "$0.in" "$0.out" && "$@" && ${ANSWER}`
/** Has it run the program `$1`, in the words of `encodeWords`. */
export const ASK = `printf '%s\\n' "$1" >"$0.in"; ${ANSWER}`
/** Ends it. What has ended may still be a process, that its parent has not asked after, but runs no program. */
export const REMOVE =
  'pid=$(cat "$0.pid") && kill -9 "$pid" && while [ -e "/proc/$pid/exe" ]; do sleep 0.01; done; rm -f "$0.in" "$0.out" "$0.pid"'
