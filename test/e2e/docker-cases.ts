/**
 * What docker's users type about a container's life, with what they get for it.
 *
 * `docker.test.ts` types each with wolffia in docker's place, and the same with a real docker where `DOCKER` names one. Both must give what
 * stands here; where wolffia differs by design, `docker` says what a real one gives instead and `because` why.
 *
 * The lines are a shell's. `$docker` is the program, `up NAME [FLAG...]` starts a container that sleeps, `box` is the image, a busybox;
 * `until_is STATUS NAME` waits for a status. Ids are shown as ID, short ones as SHORT, times as TIME. Of errors the prefixes are
 * left out (`wolffia:`, `docker:`, `Error response from daemon:`), and the first letter is small.
 */

import { COPYING_IN, COPYING_OUT } from './docker-copying-cases.js'

/** What a program gives. */
export interface Given {
  /** 0 unless said. */
  readonly code?: number
  /** Nothing unless said. */
  readonly stdout?: string | RegExp
  /** Nothing unless said; a text is the whole of it, a pattern somewhere in it. */
  readonly stderr?: string | RegExp
}

/** One of them. */
export interface DockerCase extends Given {
  /** A sentence. */
  readonly title: string
  readonly lines: string
  /** What a real docker gives instead, and why wolffia does not; or only why a real one cannot be asked. */
  readonly docker?: (Given & { readonly because: string }) | { readonly notAsked: string }
}

const USAGE: readonly (readonly [command: string, says: string])[] = [
  ['run', 'requires at least 1 argument'],
  ['create', 'requires at least 1 argument'],
  ['start', 'requires at least 1 argument'],
  ['stop', 'requires at least 1 argument'],
  ['kill', 'requires at least 1 argument'],
  ['restart', 'requires at least 1 argument'],
  ['pause', 'requires at least 1 argument'],
  ['unpause', 'requires at least 1 argument'],
  ['wait', 'requires at least 1 argument'],
  ['rm', 'requires at least 1 argument'],
  ['update --restart no', 'requires at least 1 argument'],
  ['exec one', 'requires at least 2 arguments'],
  ['attach', 'requires (exactly )?1 argument'],
  ['logs', 'requires (exactly )?1 argument'],
  ['logs one two', 'requires (exactly )?1 argument'],
  ['rename one', 'requires (exactly )?2 arguments'],
  ['inspect', 'requires at least 1 argument'],
  ['container prune one', 'accepts no arguments|requires no arguments'],
]

const UNKNOWN_NAME = 'start stop kill restart pause unpause wait rm attach logs'.split(' ')

const LOOKED_FOR = 'wolffia looks for the program when it makes the container, which comes to nothing without one'

/** `run`. */
const RUNNING: readonly DockerCase[] = [
  // run
  {
    title: 'run shows what the guest writes, each stream on its own, and ends with its exit code',
    lines: "$docker run --rm box sh -c 'echo out; echo err >&2; exit 3'",
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  },
  {
    title: 'run of a guest that a signal ended ends with 128 and its number',
    lines: "$docker run --rm --init box sh -c 'kill -9 $$'",
    code: 137,
  },
  { title: 'run -d prints the id', lines: '$docker run -d box true', stdout: 'ID\n' },
  {
    title: 'run -d goes on in the background, and wait tells its exit code',
    lines: "$docker run -d --name one box sh -c 'exit 7' >/dev/null; $docker wait one",
    stdout: '7\n',
  },
  {
    title: 'run -d --rm is waited for, and gone then',
    lines: `$docker run -d --rm --name one box sh -c 'sleep 3; exit 4' >/dev/null; $docker wait one
      until_gone one; $docker ps -aq --filter name=one`,
    stdout: '4\n',
  },
  { title: 'run -i hands on stdin to its end', lines: 'echo typed | $docker run -i --rm box cat', stdout: 'typed\n' },
  { title: 'run without -i has an empty stdin', lines: 'echo typed | $docker run --rm box cat' },
  { title: 'run -t gives a terminal', lines: '$docker run --rm -t box echo hi', stdout: 'hi\r\n' },
  {
    title: 'run -it needs a terminal',
    lines: '$docker run --rm -it box sh </dev/null',
    code: 1,
    stderr: /^the input device is not a TTY/,
  },
  {
    title: 'run -dit is a shell that waits in the background',
    lines:
      "$docker run -dit --name one box sh >/dev/null; $docker inspect -f '{{.State.Status}} {{.Config.Tty}} {{.Config.OpenStdin}}' one",
    stdout: 'running true true\n',
  },
  {
    title: 'run -e sets variables and hands on its own',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    lines: "OWN=mine $docker run --rm -e A=1 -e OWN -e B= box sh -c 'echo $A $OWN ${B-unset}'",
    stdout: '1 mine\n',
  },
  {
    title: 'run --env-file reads variables',
    lines: "printf '# none\\nA=1\\nB=a b\\n' >vars; $docker run --rm --env-file vars box sh -c 'echo $A $B'",
    stdout: '1 a b\n',
  },
  { title: 'run -w makes a working directory that is not there', lines: '$docker run --rm -w /new/place box pwd', stdout: '/new/place\n' },
  {
    title: 'run -w wants an absolute path',
    lines: '$docker run --rm -w place box pwd',
    code: 125,
    stderr: /the working directory 'place' is invalid, it needs to be an absolute path/,
  },
  { title: 'run -u takes numbers', lines: "$docker run --rm -u 33:50 box sh -c 'id -u; id -g'", stdout: '33\n50\n' },
  { title: 'run -u takes names', lines: "$docker run --rm -u web box sh -c 'id -un; id -Gn'", stdout: 'web\nweb staff\n' },
  {
    title: 'run -u names an unknown user',
    lines: '$docker run --rm -u nosuch box true',
    code: 125,
    stderr: /unable to find user nosuch/,
  },
  { title: 'run --entrypoint comes before the words', lines: '$docker run --rm --entrypoint echo box a b', stdout: 'a b\n' },
  {
    title: 'run of what is not there ends with 127',
    lines: '$docker run --rm box nosuch',
    code: 127,
    stderr: /"nosuch": (executable file not found in \$PATH|no such program)/,
  },
  {
    title: 'run of a path that is not there ends with 127',
    lines: '$docker run --rm box /no/such',
    code: 127,
    stderr: /"\/no\/such": (stat \/no\/such: no such file or directory|no such program)/,
  },
  {
    title: 'run of what is no program ends with 126',
    lines: '$docker run --rm box /bin/text',
    code: 126,
    stderr: /\/bin\/text"?: permission denied/,
  },
  {
    title: 'run of a folder ends with 126',
    lines: '$docker run --rm box /etc',
    code: 126,
    stderr: /\/etc"?: (is a directory|permission denied)/,
  },
  {
    title: 'a container whose program is not there comes to nothing',
    lines:
      "$docker run --name one box nosuch 2>/dev/null; $docker ps -a --filter name=one --format '{{.State}}'; $docker inspect -f '{{.State.ExitCode}}' one",
    code: 1,
    stderr: /no such container/,
    docker: { because: LOOKED_FOR, code: 0, stdout: 'created\n127\n', stderr: '' },
  },
  {
    title: 'a container whose program is not there is removed with --rm',
    lines: '$docker run --rm --name one box nosuch 2>/dev/null; echo $?; until_gone one; $docker ps -aq --filter name=one',
    stdout: '127\n',
  },
  {
    title: 'run -d of what is not there ends with 127 all the same',
    lines: '$docker run -d --name one box nosuch',
    code: 127,
    stderr: /no such program/,
    docker: { because: LOOKED_FOR, code: 127, stdout: 'ID\n', stderr: /executable file not found/ },
  },
  {
    title: 'run --cidfile writes the id',
    lines: 'id=$($docker run -d --cidfile file box true); test "$id" = "$(cat file)" && echo same',
    stdout: 'same\n',
  },
  {
    title: 'run --cidfile takes no file that is there',
    lines: 'touch there; $docker run --cidfile there box true',
    code: 125,
    stderr: /container ID file found, make sure the other container isn't running or delete there/,
  },
  {
    title: 'run --name takes no name that another has',
    lines: 'up one; $docker run --name one box true',
    code: 125,
    stderr: /the container name "\/?one" is already in use by container "?[0-9a-zA-Z]+"?/i,
  },
  {
    title: 'run --name takes no name that is none',
    lines: '$docker run --name -x/ box true',
    code: 125,
    stderr: /invalid container name \(-x\/\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/,
  },
  {
    title: 'run --restart names a policy that is none',
    lines: '$docker run -d --restart sometimes box true',
    code: 125,
    stderr: /invalid restart policy/,
  },
  {
    title: 'run --restart does not go with --rm',
    lines: '$docker run -d --rm --restart always box true',
    code: 125,
    stderr: /conflicting options: (cannot specify both )?--restart and --rm/,
  },
  {
    title: 'run --restart always:3 makes no sense',
    lines: '$docker run -d --restart always:3 box true',
    code: 125,
    stderr: /maximum retry count (can only|cannot) be used with/,
  },
  {
    title: 'run --restart on-failure:2 starts it again twice',
    lines: `$docker run -d --name one --restart on-failure:2 box sh -c 'exit 3' >/dev/null
      until [ "$($docker inspect -f '{{.State.Status}}{{.RestartCount}}' one)" = exited2 ]; do sleep 0.1; done; $docker inspect -f '{{.State.ExitCode}}' one`,
    stdout: '3\n',
  },
  {
    title: 'run --stop-signal says what stop sends',
    lines: `$docker run -d --name one --stop-signal USR1 box sh -c 'trap "exit 5" USR1; echo ready; while :; do sleep 0.1; done' >/dev/null
      until $docker logs one | grep -q ready; do sleep 0.1; done; $docker stop one; $docker inspect -f '{{.State.ExitCode}} {{.Config.StopSignal}}' one`,
    stdout: 'one\n5 SIGUSR1\n',
    docker: { because: 'wolffia keeps the name of a signal and not what it was called', stdout: 'one\n5 USR1\n' },
  },
  {
    title: 'run --stop-signal names a signal that is none',
    lines: '$docker run -d --stop-signal NOSUCH box true',
    code: 125,
    stderr: /invalid signal: NOSUCH/,
  },
  {
    title: 'run --health-cmd finds it healthy',
    lines: `up one --health-cmd true --health-interval 3s; $docker inspect -f '{{.State.Health.Status}}' one
      until [ "$($docker inspect -f '{{.State.Health.Status}}' one)" = healthy ]; do sleep 0.2; done; $docker ps --filter name=one --format '{{.Status}}'`,
    stdout: /^starting\nUp .* \(healthy\)\n$/,
  },
  {
    title: 'run --health-cmd finds it unhealthy after its retries',
    lines: `up one --health-cmd 'echo bad; exit 1' --health-interval 1s --health-retries 2
      until [ "$($docker inspect -f '{{.State.Health.Status}}' one)" = unhealthy ]; do sleep 0.2; done
      $docker inspect -f '{{.State.Health.FailingStreak}} {{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' one`,
    stdout: '2 1 bad\n\n',
  },
  {
    title: 'run --no-healthcheck does not go with a check',
    lines: '$docker run --no-healthcheck --health-cmd true box true',
    code: 125,
    stderr: /--no-healthcheck conflicts with --health-\* options/,
  },
  {
    title: 'run --log-driver none keeps nothing for logs',
    lines: '$docker run -d --name one --log-driver none box echo hi >/dev/null; $docker logs one',
    code: 1,
    stderr: /configured logging driver does not support reading/,
  },
  {
    title: 'run --log-opt names an option that is none',
    lines: '$docker run -d --log-opt nosuch=1 box true',
    code: 125,
    stderr: /unknown log opt 'nosuch' for json-file log driver/,
  },
  { title: 'run -h is the host name', lines: '$docker run --rm -h here box hostname', stdout: 'here\n' },
  {
    title: 'run --read-only has a root that cannot be written',
    lines: '$docker run --rm --read-only box touch /x',
    code: 1,
    stderr: /Read-only file system/,
  },
  { title: 'run --tmpfs is writable', lines: "$docker run --rm --read-only --tmpfs /x box sh -c 'echo a >/x/y; cat /x/y'", stdout: 'a\n' },
  { title: 'run -v binds a folder', lines: 'mkdir -p d; echo a >d/f; $docker run --rm -v "$PWD/d:/d:ro" box cat /d/f', stdout: 'a\n' },
  {
    title: 'run --group-add is one more group',
    lines: '$docker run --rm -u web --group-add 77 box id -G',
    stdout: '33 50 77\n',
  },
  {
    title: 'run --group-add names an unknown group',
    lines: '$docker run --rm --group-add nosuch box true',
    code: 125,
    stderr: /unable to find group nosuch/i,
  },
  {
    title: 'run --add-host is one more line of /etc/hosts',
    lines: "$docker run --rm --add-host far:10.1.2.3 --add-host six:::1 box sh -c 'cat /etc/hosts' | grep -e far -e six",
    stdout: '10.1.2.3\tfar\n::1\tsix\n',
  },
  {
    title: 'run --add-host wants an address',
    lines: '$docker run --rm --add-host far:near box true',
    code: 125,
    stderr: /^invalid argument "far:near" for "--add-host" flag: invalid IP address in add-host: "near"/,
  },
  {
    title: 'run --label-file reads labels',
    lines: `printf '# none\\nx=1\\ny\\n' >file; $docker create --name one --label-file file -l x=2 box true >/dev/null; $docker inspect -f '{{json .Config.Labels}}' one`,
    stdout: '{"x":"2","y":""}\n',
    docker: { because: 'docker takes no notice of a label of a file that has no value', stdout: '{"x":"2"}\n' },
  },
  {
    title: 'run --pull names a policy that is none',
    lines: '$docker run --rm --pull sometimes box true',
    code: 125,
    stderr: /sometimes.*must be one of|invalid pull option: 'sometimes': must be one of/,
  },
  {
    title: 'run -a stdout shows nothing else',
    lines: "$docker run --rm -a stdout box sh -c 'echo out; echo err >&2; exit 3'",
    code: 3,
    stdout: 'out\n',
  },
  {
    title: 'run -a STDERR shows nothing else',
    lines: "$docker run --rm -a STDERR box sh -c 'echo out; echo err >&2'",
    stderr: 'err\n',
  },
  {
    title: 'run -a twice shows both',
    lines: "$docker run --rm -a stdout --attach stderr box sh -c 'echo out; echo err >&2'",
    stdout: 'out\n',
    stderr: 'err\n',
  },
  {
    title: 'run -a names a stream that is none',
    lines: '$docker run --rm -a x box true',
    code: 125,
    stderr: /^invalid argument "x" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR/,
  },
  {
    title: 'run -a does not go with -d',
    lines: '$docker run -d -a stdout box true',
    code: 1,
    stderr: /^conflicting options: cannot specify both --attach and --detach/,
  },
  {
    title: 'run --sig-proxy=false leaves the container to itself when it is told to end',
    lines: `$docker run --sig-proxy=false --name one box sleep 60 & until $docker inspect one >/dev/null 2>&1; do sleep 0.1; done
      until_is running one; kill $!; wait $! 2>/dev/null; echo $?; $docker inspect -f '{{.State.Status}}' one`,
    stdout: '143\nrunning\n',
    docker: { notAsked: 'the client of 20.10 gives the same, the one of 28 hears SIGTERM and goes on' },
  },
  {
    title: 'create --annotation is shown by inspect',
    lines:
      "$docker create --name one --annotation a=b --annotation c=d=e --annotation f box true >/dev/null; $docker inspect -f '{{json .HostConfig.Annotations}}' one",
    stdout: '{"a":"b","c":"d=e","f":""}\n',
    docker: { notAsked: 'a daemon before 24 has none' },
  },
  {
    title: 'run --annotation wants a name',
    lines: '$docker run --rm --annotation =a box true',
    code: 125,
    stderr: /invalid argument "=a" for "--annotation" flag/,
    docker: { notAsked: 'a daemon before 24 has none' },
  },
  {
    title: 'run of an image that is not there ends with 125',
    lines: '$docker run --rm --pull never nosuch true',
    code: 125,
    stderr: /no such image: nosuch|there is no image "nosuch" here/,
  },
  { title: 'run names a flag that is none', lines: '$docker run --nosuch box', code: 125, stderr: /^unknown flag: --nosuch/ },
  { title: 'run names a short flag that is none', lines: '$docker run -Z box', code: 125, stderr: /^unknown shorthand flag: 'Z' in -Z/ },
  { title: 'run names a flag without its value', lines: '$docker run --name', code: 125, stderr: /^flag needs an argument: --name/ },
  {
    title: 'run --rm=false keeps it',
    lines: '$docker run --rm=false --name one box true; $docker ps -a --filter name=one --format "{{.Names}}"',
    stdout: 'one\n',
  },
  { title: 'run -- ends the flags', lines: '$docker run --rm -- box echo -n x', stdout: 'x' },
]

/** From `create` to `unpause`. */
const FROM_CREATE_TO_UNPAUSE: readonly DockerCase[] = [
  // create and start
  { title: 'create prints the id', lines: '$docker create box true', stdout: 'ID\n' },
  {
    title: 'what is created does not run',
    lines:
      "$docker create --name one box true >/dev/null; $docker ps -q --filter name=one; $docker ps -a --filter name=one --format '{{.Status}}'",
    stdout: 'Created\n',
  },
  {
    title: 'start prints the name it was told',
    lines: '$docker create --name one box true >/dev/null; $docker start one; $docker wait one',
    stdout: 'one\n0\n',
  },
  {
    title: 'start -a shows what it writes, and ends with its exit code',
    lines: "$docker create --name one box sh -c 'echo out; echo err >&2; exit 6' >/dev/null; $docker start -a one",
    code: 6,
    stdout: 'out\n',
    stderr: 'err\n',
  },
  {
    title: 'start -ai hands on stdin',
    lines: '$docker create -i --name one box cat >/dev/null; echo typed | $docker start -ai one',
    stdout: 'typed\n',
  },
  {
    title: 'start starts again what has ended, with the same files',
    lines: "$docker run --name one box sh -c 'echo x >>/f; wc -l </f'; $docker start -a one",
    stdout: '1\n2\n',
  },
  {
    title: 'start of several',
    lines: '$docker create --name one box true >/dev/null; $docker create --name two box true >/dev/null; $docker start one two',
    stdout: 'one\ntwo\n',
  },
  {
    title: 'start of several goes on after one that is unknown',
    lines: '$docker create --name one box true >/dev/null; $docker start nosuch one',
    code: 1,
    stdout: 'one\n',
    stderr: /no such container: nosuch/i,
  },
  { title: 'start of what runs is no error', lines: 'up one; $docker start one', stdout: 'one\n' },
  {
    title: 'start -a takes one only',
    lines: 'up one; up two; $docker start -a one two',
    code: 1,
    stderr: /^you cannot start and attach multiple containers at once/,
  },
  {
    title: 'start of a program that is not there',
    lines: '$docker create --name one box nosuch >/dev/null; $docker start one',
    code: 1,
    stderr: /no such program[\s\S]*no such container: one/,
    docker: { because: LOOKED_FOR, code: 1, stderr: /executable file not found/ },
  },
  {
    title: 'start -a of a program that is not there',
    lines: '$docker create --name one box nosuch >/dev/null; $docker start -a one',
    code: 1,
    stderr: /no such program[\s\S]*no such container: one/,
    docker: { because: LOOKED_FOR, code: 1, stderr: /executable file not found/ },
  },
  {
    title: 'start of what is paused',
    lines: 'up one; $docker pause one; $docker start one',
    code: 1,
    stdout: 'one\n',
    stderr: /cannot start a paused container, try unpause instead/,
  },

  // stop, kill, restart
  {
    title: 'stop asks it to end',
    lines: "up one; $docker stop one; $docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' one",
    stdout: 'one\nexited 143\n',
  },
  { title: 'stop of several', lines: 'up one; up two; $docker stop one two | sort', stdout: 'one\ntwo\n' },
  { title: 'stop of what has ended is no error', lines: '$docker run --name one box true; $docker stop one', stdout: 'one\n' },
  {
    title: 'stop of what never ran is no error',
    lines: '$docker create --name one box true >/dev/null; $docker stop one',
    stdout: 'one\n',
  },
  {
    title: 'stop of several goes on after one that is unknown',
    lines: 'up one; $docker stop nosuch one',
    code: 1,
    stdout: 'one\n',
    stderr: /^no such container: nosuch/,
  },
  {
    title: 'stop -t 1 kills what does not listen',
    lines: `$docker run -d --name one box sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
      until $docker logs one | grep -q ready; do sleep 0.1; done; $docker stop -t 1 one; $docker inspect -f '{{.State.ExitCode}}' one`,
    stdout: 'one\n137\n',
  },
  {
    title: 'stop -s sends another signal',
    lines: "up one; $docker stop -s INT one; $docker inspect -f '{{.State.ExitCode}}' one",
    stdout: 'one\n130\n',
    docker: { notAsked: 'older daemons do not take a signal with stop' },
  },
  {
    title: 'stop -t wants a number',
    lines: '$docker stop -t soon one',
    code: 125,
    stderr: /^invalid argument "soon" for "-t, --(time|timeout)" flag/,
  },
  {
    title: 'stop of what is paused',
    lines: "up one; $docker pause one; $docker stop one; $docker inspect -f '{{.State.Status}}' one",
    stdout: 'one\none\nexited\n',
  },
  { title: 'kill ends with 137', lines: 'up one; $docker kill one; $docker wait one', stdout: 'one\n137\n' },
  ...['TERM', 'SIGTERM', 'term', '15'].map((signal) => ({
    title: `kill -s ${signal} is SIGTERM`,
    lines: `up one; $docker kill -s ${signal} one; $docker wait one`,
    stdout: 'one\n143\n',
  })),
  {
    title: 'kill -s HUP goes to the guest, which goes on',
    lines: `$docker run -d --name one box sh -c 'trap "echo hup" HUP; echo ready; while :; do sleep 0.1; done' >/dev/null
      until $docker logs one | grep -q ready; do sleep 0.1; done; $docker kill -s HUP one
      until $docker logs one | grep -q hup; do sleep 0.1; done; $docker inspect -f '{{.State.Status}}' one`,
    stdout: 'one\nrunning\n',
  },
  { title: 'kill names a signal that is none', lines: 'up one; $docker kill -s NOSUCH one', code: 1, stderr: /invalid signal: NOSUCH/ },
  {
    title: 'kill names a number that is no signal',
    lines: 'up one; $docker kill -s 99 one',
    code: 1,
    stderr: /(invalid|does not support) signal:? 99/,
  },
  {
    title: 'kill of what has ended',
    lines: '$docker run --name one box true; $docker kill one',
    code: 1,
    stderr: /container [0-9A-Za-z]+ is not running/i,
  },
  {
    title: 'kill -9 is no flag, and kills nothing',
    lines: "up one; $docker kill -9 one; echo $?; $docker kill one -9; echo $?; $docker inspect -f '{{.State.Status}}' one",
    stdout: '125\n125\nrunning\n',
    stderr: /^unknown shorthand flag: '9' in -9/,
  },
  {
    title: 'kill of what is paused',
    lines: "up one; $docker pause one; $docker kill one; until_is exited one; $docker inspect -f '{{.State.ExitCode}}' one",
    stdout: 'one\none\n137\n',
  },
  {
    title: 'kill of several goes on after one that is unknown',
    lines: 'up one; $docker kill nosuch one',
    code: 1,
    stdout: 'one\n',
    stderr: /no such container: nosuch/i,
  },
  {
    title: 'restart starts it anew',
    lines: `$docker run -d --init --name one box sh -c 'echo begun; sleep 60' >/dev/null; until $docker logs one | grep -q begun; do sleep 0.1; done; $docker restart -t 1 one
      until [ $($docker logs one | wc -l) = 2 ]; do sleep 0.1; done; $docker logs one; $docker inspect -f '{{.State.Status}}' one`,
    stdout: 'one\nbegun\nbegun\nrunning\n',
  },
  {
    title: 'restart of what has ended starts it',
    lines: "up one; $docker stop one; $docker restart one; $docker inspect -f '{{.State.Status}}' one",
    stdout: 'one\none\nrunning\n',
  },
  {
    title: 'restart of what never ran starts it',
    lines: "$docker create --name one box sleep 60 >/dev/null; $docker restart one; $docker inspect -f '{{.State.Status}}' one",
    stdout: 'one\nrunning\n',
  },

  // pause
  {
    title: 'pause holds it still',
    lines:
      "up one; $docker pause one; $docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}}' one; $docker ps --filter name=one --format '{{.Status}}'",
    stdout: /^one\npaused true true\nUp .* \(Paused\)\n$/,
  },
  {
    title: 'unpause lets it go on',
    lines: "up one; $docker pause one; $docker unpause one; $docker inspect -f '{{.State.Status}}' one",
    stdout: 'one\none\nrunning\n',
  },
  {
    title: 'pause twice',
    lines: 'up one; $docker pause one; $docker pause one',
    code: 1,
    stdout: 'one\n',
    stderr: /^container [0-9A-Za-z]+ is already paused/,
  },
  {
    title: 'pause of what has ended',
    lines: '$docker run --name one box true; $docker pause one',
    code: 1,
    stderr: /^container [0-9A-Za-z]+ is not running/,
  },
  {
    title: 'unpause of what is not paused',
    lines: 'up one; $docker unpause one',
    code: 1,
    stderr: /^container [0-9A-Za-z]+ is not paused/,
  },
  {
    title: 'a paused container writes nothing',
    lines: `$docker run -d --name one box sh -c 'while :; do echo x; sleep 0.05; done' >/dev/null; sleep 0.5; $docker pause one
      a=$($docker logs one | wc -l); sleep 0.5; b=$($docker logs one | wc -l); test $a = $b && echo still`,
    stdout: 'one\nstill\n',
  },
]

/** From `wait` to `container prune`. */
const FROM_WAIT_TO_PRUNE: readonly DockerCase[] = [
  // wait
  { title: 'wait for what has ended', lines: "$docker run --name one box sh -c 'exit 9'; $docker wait one", stdout: '9\n' },
  {
    title: 'wait for what runs',
    lines: "$docker run -d --name one box sh -c 'sleep 0.5; exit 9' >/dev/null; $docker wait one",
    stdout: '9\n',
  },
  {
    title: 'wait for several, each in its turn',
    lines:
      "$docker run -d --name one box sh -c 'sleep 0.5; exit 1' >/dev/null; $docker run -d --name two box sh -c 'exit 2' >/dev/null; $docker wait one two",
    stdout: '1\n2\n',
  },
  {
    title: 'wait goes on after one that is unknown',
    lines: '$docker run --name one box true; $docker wait nosuch one',
    code: 1,
    stdout: '0\n',
    stderr: /no such container: nosuch/i,
  },
  { title: 'wait for what never ran', lines: '$docker create --name one box true >/dev/null; $docker wait one', stdout: '0\n' },
  {
    title: 'wait for what another command kills',
    lines: 'up one; (sleep 0.5; $docker kill one >/dev/null) & $docker wait one',
    stdout: '137\n',
  },

  // rename and update
  {
    title: 'rename',
    lines: "up one; $docker rename one two; $docker inspect -f '{{.Name}}' two; $docker inspect one >/dev/null 2>&1 || echo gone",
    stdout: '/two\ngone\n',
  },
  {
    title: 'rename to a name that another has',
    lines: 'up one; up two; $docker rename one two',
    code: 1,
    stderr: /the container name "\/?two" is already in use by container/i,
  },
  {
    title: 'rename to a name that is none',
    lines: 'up one; $docker rename one x/',
    code: 1,
    stderr: /invalid container name \(\/?x\/\), only/i,
  },
  {
    title: 'rename to its own name',
    lines: 'up one; $docker rename one one',
    code: 1,
    stderr: /renaming a container with the same name as its current name/,
  },
  { title: 'rename of what is unknown', lines: '$docker rename nosuch other', code: 1, stderr: /^no such container: nosuch/ },
  {
    title: 'update --restart',
    lines:
      "up one; $docker update --restart always one; $docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' one; $docker update --restart no one",
    stdout: 'one\nalways\none\n',
  },
  {
    title: 'update --restart of what is removed at its end',
    lines: 'up one --rm; $docker update --restart always one',
    code: 1,
    stderr: /restart policy cannot be updated because/i,
  },
  {
    title: 'update wants a flag',
    lines: '$docker update nosuch',
    code: 1,
    stderr: /^you must provide one or more flags when using this command/,
  },
  {
    title: 'update names a policy that is none',
    lines: 'up one; $docker update --restart sometimes one',
    code: 1,
    stderr: /invalid restart policy/,
  },
  { title: 'update of what is unknown', lines: '$docker update --restart no nosuch', code: 1, stderr: /no such container: nosuch/i },

  // rm and prune
  {
    title: 'rm of what has ended',
    lines: '$docker run --name one box true; $docker rm one; $docker ps -aq --filter name=one',
    stdout: 'one\n',
  },
  { title: 'rm of what never ran', lines: '$docker create --name one box true >/dev/null; $docker rm one', stdout: 'one\n' },
  {
    title: 'rm by the name that inspect shows',
    lines:
      "$docker create --name one box true >/dev/null; $docker rm $($docker inspect -f '{{.Name}}' one); $docker ps -aq --filter name=one",
    stdout: '/one\n',
  },
  {
    title: 'rm of what runs',
    lines: 'up one; $docker rm one',
    code: 1,
    stderr: /cannot remove a running container|container [0-9A-Za-z]+ is running/,
  },
  {
    title: 'rm of what is paused',
    lines: 'up one; $docker pause one; $docker rm one',
    code: 1,
    stdout: 'one\n',
    stderr: /cannot remove a paused container|container [0-9A-Za-z]+ is paused/,
  },
  { title: 'rm -f kills it first', lines: 'up one; $docker rm -f one; $docker ps -aq --filter name=one', stdout: 'one\n' },
  { title: 'rm -f of what is paused', lines: 'up one; $docker pause one; $docker rm -f one', stdout: 'one\none\n' },
  {
    title: 'rm of several goes on after one that is unknown',
    lines: '$docker run --name one box true; $docker rm nosuch one',
    code: 1,
    stdout: 'one\n',
    stderr: /no such container: nosuch/i,
  },
  {
    title: 'rm -v removes the volumes made for it',
    lines: `before=$($docker volume ls -q | wc -l); $docker run --name one -v /data box true; $docker rm -v one
      test $before = $($docker volume ls -q | wc -l) && echo none`,
    stdout: 'one\nnone\n',
  },
  {
    title: 'rm without -v keeps them',
    lines: `before=$($docker volume ls -q | wc -l); $docker run --name one -v /data box true; $docker rm one
      test $((before + 1)) = $($docker volume ls -q | wc -l) && echo kept`,
    stdout: 'one\nkept\n',
  },
  {
    title: 'container prune -f removes what does not run',
    lines: `up one; $docker run --name two box true; $docker create --name three box true >/dev/null; $docker container prune -f | sed 's/:.*/:/'
      $docker ps -a --format '{{.Names}}' --filter label!=nosuch 2>/dev/null | grep -c -e two -e three; $docker ps --filter name=one --format '{{.Names}}'`,
    stdout: 'Deleted Containers:\nID\nID\n\nTotal reclaimed space:\n0\none\n',
  },
  {
    title: 'container prune tells what is free again',
    lines: "$docker run --name one box sh -c 'head -c 1000 /dev/zero >/f'; $docker container prune -f",
    stdout: /^Deleted Containers:\nID\n[\s\S]*\nTotal reclaimed space: 1kB\n$/,
  },
  {
    title: 'container prune --filter label=',
    lines: `$docker run --name one -l prune=yes box true; $docker run --name two -l prune=no box true; $docker container prune -f --filter label=prune=yes
      $docker ps -aq --filter name=one --filter name=two | wc -l`,
    stdout: 'Deleted Containers:\nID\n\nTotal reclaimed space: 0B\n1\n',
  },
  {
    title: 'container prune --filter label!=, and until= of long ago removes nothing',
    lines: `$docker run --name one box true; $docker container prune -f --filter until=24h; $docker run --name two -l prune=no box true
      $docker container prune -f --filter label!=prune=no >/dev/null; $docker ps -a --filter name=one --filter name=two --format '{{.Names}}'`,
    stdout: 'Total reclaimed space: 0B\ntwo\n',
  },
  {
    title: 'container prune --filter names a filter that is none',
    lines: '$docker container prune -f --filter nosuch=x',
    code: 1,
    stderr: /invalid filter 'nosuch'/,
  },
  {
    title: 'image prune removes what has no name, and with -a what no container uses',
    lines: `up one; for text in a b; do echo $text >f; tar -c f | $docker import - pruned >/dev/null; done
      $docker image prune -f | grep -c ^deleted; $docker images -q pruned | wc -l; $docker image prune -af | grep ^untagged; $docker images -q box`,
    stdout: /^[12]\n1\nuntagged: pruned:latest\nSHORT\n$/,
  },
  {
    title: 'image prune --filter until= of long ago removes nothing',
    lines:
      'up one; tar -c /dev/null 2>/dev/null | $docker import - pruned >/dev/null; $docker image prune -af --filter until=24h; $docker rmi pruned >/dev/null',
    stdout: 'Total reclaimed space: 0B\n',
  },
  {
    title: 'system prune --filter until= does not go with --volumes',
    lines: '$docker system prune -f --volumes --filter until=24h',
    code: 1,
    stderr: /the "until" filter is not supported with "--volumes"/i,
  },
  { title: 'history -q begins with the image', lines: '$docker history -q box | head -1', stdout: 'SHORT\n' },
  {
    title: 'history has a step a line',
    lines: "$docker history box | head -1 | tr -s ' '; $docker history -H=false --format '{{.Size}} {{.CreatedAt}}' box | tail -1",
    stdout: /^IMAGE CREATED CREATED BY SIZE COMMENT\n\d+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)\n$/,
  },
  { title: 'history of what is unknown', lines: '$docker history nosuch', code: 1, stderr: /(no such image: |no image ")nosuch/i },
  {
    title: 'container prune asks, and does nothing without a yes',
    lines: 'echo n | $docker container prune',
    stdout: /will remove all stopped containers\.\nAre you sure you want to continue\? \[y\/N\] /,
  },
]

/** From `exec` to `logs`. */
const FROM_EXEC_TO_LOGS: readonly DockerCase[] = [
  // exec
  {
    title: 'exec ends with the exit code of its program',
    lines: "up one; $docker exec one sh -c 'echo out; echo err >&2; exit 8'",
    code: 8,
    stdout: 'out\n',
    stderr: 'err\n',
  },
  {
    title: 'exec of what is not there ends with 127',
    lines: 'up one; $docker exec one nosuch',
    code: 127,
    stderr: /no such command in the image: nosuch/,
    docker: { because: 'a daemon before 23 says 126, and on stdout', code: 126, stdout: /executable file not found/, stderr: '' },
  },
  {
    title: 'exec of what is no program ends with 126',
    lines: 'up one; $docker exec one /bin/text',
    code: 126,
    stderr: /permission denied/,
    docker: { because: 'a daemon before 23 says so on stdout', stdout: /permission denied/, stderr: '' },
  },
  {
    title: 'exec -d says nothing and goes on',
    lines:
      "up one; $docker exec -d one sh -c 'sleep 0.2; echo x >/made'; until $docker exec one sh -c 'test -s /made'; do sleep 0.1; done; $docker exec one cat /made",
    stdout: 'x\n',
  },
  { title: 'exec -e', lines: "up one -e A=1 -e B=2; $docker exec -e B=3 one sh -c 'echo $A$B'", stdout: '13\n' },
  { title: 'exec -w', lines: 'up one; $docker exec -w /etc one pwd', stdout: '/etc\n' },
  {
    title: 'exec -w of a folder that is not there',
    lines: 'up one; $docker exec -w /no/such one pwd',
    code: 1,
    stderr: /cannot enter the working directory \/no\/such/,
    docker: {
      because: 'wolffia looks before anything is started; docker tells of it as of a program that could not be',
      code: 126,
      stdout: /no such file or directory/,
      stderr: '',
    },
  },
  { title: 'exec -u', lines: "up one; $docker exec -u web one sh -c 'id -un; echo $HOME'", stdout: 'web\n/srv\n' },
  {
    title: 'exec -u names an unknown user',
    lines: 'up one; $docker exec -u nosuch one true',
    code: 1,
    stderr: /unable to find user nosuch/,
    docker: { because: 'as above', code: 126, stdout: /unable to find user nosuch/, stderr: '' },
  },
  { title: 'exec -i hands on stdin', lines: 'up one; echo typed | $docker exec -i one cat', stdout: 'typed\n' },
  { title: 'exec without -i has an empty stdin', lines: 'up one; echo typed | $docker exec one cat' },
  {
    title: 'exec -it needs a terminal',
    lines: 'up one; $docker exec -it one sh </dev/null',
    code: 1,
    stderr: /^the input device is not a TTY/,
  },
  {
    title: 'exec in what has ended',
    lines: '$docker run --name one box true; $docker exec one true',
    code: 1,
    stderr: /^container [0-9A-Za-z]+ is not running/,
  },
  {
    title: 'exec in what is paused',
    lines: 'up one; $docker pause one; $docker exec one true',
    code: 1,
    stdout: 'one\n',
    stderr: /^container [0-9A-Za-z]+ is paused, unpause the container before exec/,
  },
  { title: 'exec in what is unknown', lines: '$docker exec nosuch true', code: 1, stderr: /^no such container: nosuch/ },
  { title: "exec's flags end with the container's name", lines: 'up one; $docker exec one echo -e -w', stdout: '-w\n' },
  {
    title: 'exec ends when its container does',
    lines:
      "up one; (until $docker top one | grep -q 'sleep 61'; do sleep 0.1; done; $docker kill one >/dev/null) & $docker exec one sleep 61",
    code: 137,
  },

  // attach
  {
    title: 'attach ends with the exit code',
    lines: "$docker run -d --name one box sh -c 'sleep 3; echo late; exit 5' >/dev/null; $docker attach one",
    code: 5,
    stdout: 'late\n',
  },
  {
    title: 'attach hands on stdin',
    lines: `$docker run -d -i --name one box sh -c 'read word; sleep 0.7; echo got $word; exit 3' >/dev/null; echo typed | $docker attach one`,
    code: 3,
    stdout: 'got typed\n',
    docker: { because: 'a daemon of 20.10 says no more to who has no more to type', stdout: /^(got typed\n)?$/ },
  },
  {
    title: 'attach to what has ended',
    lines: '$docker run --name one box true; $docker attach one',
    code: 1,
    stderr: /^you cannot attach to a stopped container, start it first/i,
  },
  {
    title: 'attach to what is paused',
    lines: 'up one; $docker pause one; $docker attach one',
    code: 1,
    stdout: 'one\n',
    stderr: /^you cannot attach to a paused container, unpause it first/i,
  },

  // logs
  {
    title: 'logs has both streams',
    lines: "$docker run --name one box sh -c 'echo out; sleep 0.1; echo err >&2' >/dev/null 2>&1; $docker logs one",
    stdout: 'out\n',
    stderr: 'err\n',
  },
  {
    title: 'logs -f goes on until the end',
    lines: "$docker run -d --name one box sh -c 'echo a; sleep 0.7; echo b' >/dev/null; $docker logs -f one",
    stdout: 'a\nb\n',
  },
  ...(
    [
      ['--tail 1', 'c\n'],
      ['--tail 2', 'b\nc\n'],
      ['-n 0', ''],
      ['--tail all', 'a\nb\nc\n'],
      ['--tail -1', 'a\nb\nc\n'],
      ['--tail 99', 'a\nb\nc\n'],
    ] as const
  ).map(([flag, stdout]) => ({
    title: `logs ${flag}`,
    lines: `$docker run --name one box sh -c 'echo a; echo b; echo c' >/dev/null; $docker logs ${flag} one`,
    stdout,
  })),
  {
    title: 'logs --since and --until',
    lines: `$docker run --name one box sh -c 'echo a; sleep 2; echo b' >/dev/null
      middle=$($docker logs -t one | head -1 | cut -c1-19); middle=$(date -u -d "$middle + 1 second" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u +%s)
      middle=$(date -u -d "$($docker logs -t one | head -1 | cut -d' ' -f1) + 1 second" +%Y-%m-%dT%H:%M:%S.%NZ); $docker logs --since $middle one; $docker logs --until $middle one`,
    stdout: 'b\na\n',
  },
  {
    title: 'logs -t has the time of each line',
    lines: '$docker run --name one box echo a >/dev/null; $docker logs -t one',
    stdout: 'TIME a\n',
  },
  {
    title: 'logs for a reader that has seen enough',
    lines: '$docker run --name one box seq 1 30000 >/dev/null; $docker logs one | head -1; $docker logs -f one | head -1',
    stdout: '1\n1\n',
  },
  {
    title: "flags stand behind a container's name, too",
    lines:
      '$docker run --name one box echo a >/dev/null; $docker logs one --follow=true; $docker logs one -n=0; $docker ps -aq --no-trunc=false | grep -c .',
    stdout: 'a\n1\n',
  },
  { title: 'logs of what never ran', lines: '$docker create --name one box echo a >/dev/null; $docker logs one' },
  {
    title: 'logs of a line without its end',
    lines: "$docker run --name one box sh -c 'echo -n a' >/dev/null; $docker logs one",
    stdout: 'a',
  },
]

/** From `ps` to what is typed wrong. */
const FROM_PS_TO_MISTAKES: readonly DockerCase[] = [
  // ps
  {
    title: "ps has docker's headings",
    lines: '$docker ps --filter name=nosuch',
    stdout: /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n$/,
  },
  {
    title: 'ps shows what runs',
    lines: "up one; $docker run --name two box true; $docker ps --format '{{.Names}}' --filter name=one --filter name=two",
    stdout: 'one\n',
  },
  {
    title: 'ps -a shows all, newest first',
    lines: "up one; $docker run --name two box true; $docker ps -a --format '{{.Names}}' --filter name=one --filter name=two",
    stdout: 'two\none\n',
  },
  { title: 'ps -q', lines: 'up one; $docker ps -q --filter name=one', stdout: 'SHORT\n' },
  { title: 'ps -q --no-trunc', lines: 'up one; $docker ps -q --no-trunc --filter name=one', stdout: 'ID\n' },
  {
    title: 'ps -n',
    lines: "for name in one two three; do $docker create --name $name box true >/dev/null; done; $docker ps -n 2 --format '{{.Names}}'",
    stdout: 'three\ntwo\n',
  },
  {
    title: 'ps -l',
    lines: "for name in one two; do $docker create --name $name box true >/dev/null; done; $docker ps -l --format '{{.Names}}'",
    stdout: 'two\n',
  },
  {
    title: 'ps --filter status=exited',
    lines:
      "up one; $docker run --name two box true; $docker ps --filter status=exited --filter name=one --filter name=two --format '{{.Names}}'",
    stdout: 'two\n',
  },
  {
    title: 'ps --filter exited=3',
    lines:
      "$docker run --name one box sh -c 'exit 3'; $docker run --name two box true; $docker ps -a --filter exited=3 --filter name=one --filter name=two --format '{{.Names}}'",
    stdout: 'one\n',
  },
  { title: 'ps --filter status=nosuch', lines: '$docker ps --filter status=nosuch', code: 1, stderr: /invalid filter 'status=nosuch'/ },
  { title: 'ps --filter nosuch=1', lines: '$docker ps --filter nosuch=1', code: 1, stderr: /invalid filter 'nosuch'/ },
  {
    title: 'ps --format table',
    lines: "up one; $docker ps --filter name=one --format 'table {{.Names}}\\t{{.Image}}\\t{{.State}}'",
    stdout: 'NAMES     IMAGE     STATE\none       box       running\n',
  },
  {
    title: 'ps shows how it ended',
    lines: "$docker run --name one box sh -c 'exit 3'; $docker ps -a --filter name=one --format '{{.Status}}'",
    stdout: /^Exited \(3\) .* ago\n$/,
  },

  // inspect
  {
    title: 'inspect of the state of what runs',
    lines:
      "up one; $docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.OOMKilled}} {{.State.Dead}} {{.State.ExitCode}} {{gt .State.Pid 0}}' one",
    stdout: 'running true false false false false 0 true\n',
  },
  {
    title: 'inspect of the state of what has ended',
    lines:
      "$docker run --name one box sh -c 'exit 3'; $docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Pid}} {{.RestartCount}}' one",
    stdout: 'exited false 3 0 0\n',
  },
  {
    title: 'inspect of the state of what never ran',
    lines:
      "$docker create --name one box true >/dev/null; $docker inspect -f '{{.State.Status}} {{.State.StartedAt}} {{.State.FinishedAt}}' one",
    stdout: 'created 0001-01-01T00:00:00Z 0001-01-01T00:00:00Z\n',
  },
  {
    title: 'inspect of what was asked for',
    lines:
      "$docker create --name one -h here -e A=1 -w /etc -u web -l a=b --stop-signal INT --stop-timeout 3 --entrypoint echo box x y >/dev/null; $docker inspect -f '{{.Config.Hostname}} {{.Config.WorkingDir}} {{.Config.User}} {{.Config.Labels.a}} {{.Config.StopSignal}} {{.Config.StopTimeout}} {{.Path}} {{.Args}} {{.Config.Entrypoint}} {{.Config.Cmd}} {{.Config.Image}}' one",
    stdout: 'here /etc 33:33 b SIGINT 3 echo [x y] <no value> [echo x y] box\n',
    docker: {
      because: 'wolffia keeps what it has settled, and not the words it was told',
      stdout: 'here /etc web b INT 3 echo [x y] [echo] [x y] box\n',
    },
  },
  {
    title: 'inspect of its network',
    lines: `up one --network none
      $docker inspect -f '{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{$network.IPAddress}}{{end}}.{{.NetworkSettings.IPAddress}}{{json .NetworkSettings.Ports}}' one`,
    stdout: 'none .{}\n',
  },
  {
    title: 'inspect -s of what it has written',
    lines: `$docker run --name one box sh -c 'head -c 1000 /dev/zero >/f'
      $docker inspect -s -f '{{.SizeRw}}' one; $docker container inspect --size one | grep -c SizeRootFs; $docker inspect one | grep -c SizeR`,
    code: 1,
    stdout: '1000\n1\n0\n',
  },
  {
    title: 'inspect of how it is held',
    lines:
      '$docker create --name one --restart on-failure:3 --network none --pids-limit 50 --read-only --log-opt max-size=1m --log-opt max-file=2 box >/dev/null; $docker inspect -f \'{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} {{.HostConfig.NetworkMode}} {{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-size"}} {{index .HostConfig.LogConfig.Config "max-file"}} {{.HostConfig.AutoRemove}}\' one',
    stdout: 'on-failure 3 none 50 true json-file 1048576 2 false\n',
    docker: { because: 'wolffia keeps bytes', stdout: 'on-failure 3 none 50 true json-file 1m 2 false\n' },
  },
  {
    title: 'inspect of what an image says of its containers',
    lines: `$docker create --name one box true >/dev/null
      $docker commit -a me -m hi -c 'EXPOSE 80' -c 'VOLUME /x' -c 'STOPSIGNAL INT' one new >/dev/null
      $docker image inspect -f '{{range $port, $x := .Config.ExposedPorts}}{{$port}}{{end}} {{range $path, $x := .Config.Volumes}}{{$path}}{{end}} {{.Config.StopSignal}} {{.Author}} {{.Comment}}' new
      $docker inspect -f '{{.Config.ExposedPorts}} {{.Config.Volumes}} {{.Config.StopSignal}}.' box; $docker rmi new >/dev/null`,
    stdout: '80/tcp /x INT me hi\nmap[] map[] .\n',
  },
  {
    title: 'inspect of what is unknown',
    lines: '$docker inspect nosuch',
    code: 1,
    stdout: '[]\n',
    stderr: /^no such (object|container, image or volume): nosuch/,
  },
  {
    title: 'inspect -f of what is unknown',
    lines: "$docker inspect -f '{{.Id}}' nosuch",
    code: 1,
    stderr: /^no such (object|container, image or volume): nosuch/,
    docker: { because: 'an empty line is no answer', stdout: '\n' },
  },

  // names and ids
  {
    title: 'a start of an id is enough',
    lines:
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
      'id=$($docker run -d --init box sleep 60); $docker stop ${id%??????????????????????????????????????????????????????????} | wc -c',
    stdout: '7\n',
  },
  {
    title: 'a start of several ids is not enough',
    lines: `for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do $docker create --label many box true >/dev/null; done
      first=$($docker ps -aq --filter label=many | cut -c1 | sort | uniq -d | head -1); $docker rm $first`,
    code: 1,
    stderr: /multiple IDs found with provided prefix: [0-9a-f]/,
  },
  {
    title: 'a whole name wins over the start of an id',
    lines:
      'id=$($docker create box true); name=$(echo $id | cut -c1-4); $docker create --name $name box false >/dev/null; test $($docker inspect -f "{{.Id}}" $name) != $id && echo named',
    stdout: 'named\n',
  },
  ...UNKNOWN_NAME.map((command) => ({
    title: `${command} of what is unknown`,
    lines: `$docker ${command} nosuch`,
    code: 1,
    stderr: /no such container: nosuch/i,
  })),
  { title: 'rm -f of what is unknown is no error', lines: '$docker rm -f nosuch', stderr: /no such container: nosuch/i },

  // what comes in between
  {
    title: 'what is removed while it is waited for',
    lines: 'up one; (sleep 2; $docker rm -f one >/dev/null) & $docker wait one',
    stdout: '137\n',
  },
  {
    title: 'what is removed while its log is followed',
    lines:
      "$docker run -d --name one box sh -c 'echo a; sleep 60' >/dev/null; (sleep 2; $docker rm -f one >/dev/null) & $docker logs -f one",
    stdout: 'a\n',
  },
  {
    title: 'two that stop the same at once',
    lines: 'up one; $docker stop one >a & $docker stop one >b; wait; cat a b',
    stdout: 'one\none\n',
  },
  {
    title: 'two that start the same at once',
    lines:
      '$docker create --name one --init box sleep 60 >/dev/null; $docker start one >a & $docker start one >b; wait; cat a b; $docker inspect -f "{{.State.Status}}" one',
    stdout: 'one\none\nrunning\n',
  },

  ...USAGE.map(([command, says]) => ({
    title: `${command} says how many arguments it takes`,
    lines: `$docker ${command}`,
    code: 1,
    stderr: new RegExp(`^['"](docker|wolffia) [a-z ]+['"] ${says}`),
  })),
  {
    title: 'an unknown command is named',
    lines: '$docker nosuch',
    code: 1,
    stderr: /unknown command: (docker )?nosuch|'nosuch' is not a docker command/,
  },
]

/** All of them, in parts that take about as long. */
export const DOCKER_CASES = {
  running: RUNNING,
  fromCreateToUnpause: FROM_CREATE_TO_UNPAUSE,
  fromWaitToPrune: FROM_WAIT_TO_PRUNE,
  fromExecToLogs: FROM_EXEC_TO_LOGS,
  fromPsToMistakes: FROM_PS_TO_MISTAKES,
  copyingIn: COPYING_IN,
  copyingOut: COPYING_OUT,
} as const
