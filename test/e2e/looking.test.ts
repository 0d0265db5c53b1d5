/** The commands that look: at containers' processes, what they use and have written, at events, and at all that is here. */
import { once } from 'node:events'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { CommandLine, type Ended } from '../support/command-line.js'
import { BUSYBOX, NATIVE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/looking')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)
const terminal = test.needs(NATIVE, BUSYBOX, program('python3'))

/** A container that runs for as long as `body` does. */
async function running(name: string, script: string, body: (id: string) => Promise<void>, ...flags: string[]): Promise<void> {
  await wolffia.busybox()
  const id = (await wolffia.output('run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script)).trim()
  try {
    await body(id)
  } finally {
    await wolffia.run(['rm', '-f', name])
  }
}

/** Until a file that a container makes last is there, as diff tells. */
async function untilWritten(name: string, path: string): Promise<string> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const changes = await wolffia.output('diff', name)
    if (changes.includes(path)) return changes
    await sleep(50)
  }
  throw new Error(`${path} was never written`)
}

function failsWith({ code, stdout, stderr }: Ended, expected: number, message: RegExp): void {
  assert.equal([code, stdout], [expected, ''], stderr)
  assert.match(stderr, message)
}

native('top shows the processes of one container and of no other, and takes the options of ps', async () => {
  await running('other', 'sleep 4444', () =>
    running('topped', 'sleep 5555 & sleep 6666', async () => {
      const lines = (await wolffia.output('top', 'topped')).trimEnd().split('\n')
      assert.match(lines[0] ?? '', /^UID {17}PID {17}PPID {16}C +STIME +TTY +TIME +CMD$/)
      assert.is(lines.filter((line) => /sleep 5555|sleep 6666/.test(line)).length, 2, lines.join('\n'))
      assert.not.match(lines.join('\n'), /4444|cli\.cjs/)
      const chosen = await wolffia.output('top', 'topped', '-o', 'pid,comm')
      assert.match(chosen, /^PID +COMMAND\n(\d+ +\S+\n)+$/)
      assert.is(await wolffia.output('top', 'topped', '-o pid,comm'), chosen)
      assert.match(await wolffia.output('container', 'top', 'topped', 'aux'), /^USER +PID +%CPU/)
      failsWith(await wolffia.run(['top', 'topped', '-o', 'comm']), 1, /couldn't find PID field in ps output/)
      failsWith(await wolffia.run(['top', 'topped', '--nosuch']), 1, /error running ps: .*unknown/)
      await wolffia.output('pause', 'topped')
      assert.match(await wolffia.output('top', 'topped'), /sleep 5555/)
      await wolffia.output('unpause', 'topped')
      await wolffia.output('stop', '-t', '0', 'topped')
      failsWith(await wolffia.run(['top', 'topped']), 1, /container topped is not running/)
    }),
  )
  failsWith(await wolffia.run(['top', 'nosuch']), 1, /no such container: nosuch/)
  failsWith(await wolffia.run(['top']), 1, /requires at least 1 argument/)
})

native('stats tells what a busy container uses, once or again and again, plainly into a pipe', async () => {
  await running('busy', 'while :; do :; done', async (id) => {
    const once = await wolffia.output('stats', '--no-stream', 'busy')
    const [heading = '', row = ''] = once.split('\n')
    assert.match(heading, /^CONTAINER ID {3}NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/)
    const [, percent = ''] =
      new RegExp(`^${id.slice(0, 12)} +busy +([\\d.]+)% +[\\d.]+[KM]iB / [\\d.]+[MGT]iB .*0B / 0B .* 2$`).exec(row) ?? []
    assert.ok(Number(percent) > 1 && Number(percent) < 250, once)
    const { code, stdout } = await stoppedAfter(['stats', '--format', '{{.Name}} {{.Container}}', '--no-trunc'], 2, 'SIGINT')
    assert.is(code, 0)
    assert.match(stdout, new RegExp(`^(busy ${id}\n){2,}$`))
    const all = (await wolffia.output('stats', '-a', '--no-stream', '--format', 'json')).trimEnd().split('\n')
    assert.equal(Object.keys(JSON.parse(all[0] ?? '')), [
      'BlockIO',
      'CPUPerc',
      'Container',
      'ID',
      'MemPerc',
      'MemUsage',
      'Name',
      'NetIO',
      'PIDs',
    ])
  })
  failsWith(await wolffia.run(['stats', '--no-stream', 'nosuch']), 1, /no such container: nosuch/)
  failsWith(await wolffia.run(['stats', '--format', '{{.Nosuch']), 1, /template parsing error/)
})

native('stats -a shows those that do not run, with nothing used', async () => {
  await running('still', 'sleep 1000', async () => {
    await wolffia.output('stop', '-t', '0', 'still')
    assert.is(await wolffia.output('stats', '--no-stream', '--format', '{{.Name}}'), '')
    assert.is(
      await wolffia.output('stats', '-a', '--no-stream', '--format', '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}'),
      'still 0.00% 0B / 0B 0\n',
    )
  })
})

terminal('stats at a terminal is drawn in place, follows the window, and gives the cursor back at ^C', async () => {
  await running('shown', 'sleep 1000', async () => {
    const { code, stdout } = await wolffia.atTerminal(
      ['stats'],
      [{ expect: 'shown ' }, { expect: 'shown ' }, { resize: [10, 40] }, { expect: 'shown ' }, { expect: 'shown ' }, { send: '\u0003' }],
    )
    assert.is(code, 0, stdout)
    assert.match(stdout, /\u001b\[\?25l\u001b\[2J\u001b\[H/)
    // Cleared when it begins and when the window changes, and not each time.
    assert.is(stdout.split('\u001b[2J').length - 1, 2, stdout)
    assert.ok(stdout.lastIndexOf('\u001b[?25h') > stdout.lastIndexOf('\u001b[?25l'))
    assert.match(stdout, /terminal restored/)
  })
})

native('diff tells what was added, changed and deleted, of one that runs and when it has ended', async () => {
  const script =
    'echo 1 > /new; rm -r /root; mkdir /root; echo >> /etc/passwd; rm /bin/text; mkdir -p /a/b; touch /a/b/c; echo > /tmp/end; exec sleep 1000'
  const expected = ['A /a', 'A /a/b', 'A /a/b/c', 'C /bin', 'D /bin/text', 'C /etc', 'C /etc/passwd', 'A /new', 'C /tmp', 'A /tmp/end']
  await running('changed', script, async () => {
    assert.equal(
      (await untilWritten('changed', '/tmp/end'))
        .trimEnd()
        .split('\n')
        .filter((line) => line !== 'C /root'),
      expected,
    )
    await wolffia.output('stop', '-t', '0', 'changed')
    assert.equal(
      (await wolffia.output('container', 'diff', 'changed'))
        .trimEnd()
        .split('\n')
        .filter((line) => line !== 'C /root'),
      expected,
    )
  })
  await wolffia.output('create', '--name', 'unborn', 'busybox')
  assert.is(await wolffia.output('diff', 'unborn'), '')
  await wolffia.output('rm', 'unborn')
  failsWith(await wolffia.run(['diff', 'nosuch']), 1, /no such container/)
})

native('diff of a container that keeps what it writes in memory says so, and the way out', async () => {
  await running(
    'fleeting',
    'sleep 1000',
    async () => failsWith(await wolffia.run(['diff', 'fleeting']), 1, /in its own memory[\s\S]*without --rm/),
    '--rm',
  )
})

test('diff of a Wasm container tells what its runs have left', async () => {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  await wolffia.run(['run', '--name', 'module', 'probe', 'write', '/note', 'kept'])
  assert.is(await wolffia.output('diff', 'module'), 'A /note\n')
  assert.match(await wolffia.output('ps', '-as', '--format', '{{.Names}} {{.Size}}'), /^module 4B \(virtual [\d.]+[kM]B\)\n$/)
  await wolffia.output('start', 'module')
  await wolffia.output('wait', 'module')
  assert.is(await wolffia.output('diff', 'module'), 'A /note\n')
  await wolffia.output('rm', 'module')
  await wolffia.run(['run', '-d', '--name', 'looping', 'probe', 'write', '/note', 'new', ',', 'loop'])
  for (let tries = 0; (await wolffia.output('diff', 'looping')) !== 'A /note\n' && tries < 40; tries++) await sleep(50)
  assert.is(await wolffia.output('diff', 'looping'), 'A /note\n')
  assert.match(await wolffia.output('ps', '-s', '--format', '{{.Names}} {{.Size}}'), /^looping 3B \(virtual/m)
  await wolffia.output('pause', 'looping')
  failsWith(await wolffia.run(['diff', 'looping']), 1, /in its own memory/)
  await wolffia.output('unpause', 'looping')
  assert.match(await wolffia.output('top', 'looping'), /wolffia|node/)
  await wolffia.output('rm', '-f', 'looping')
})

native('port has nothing to tell while no port is published', async () => {
  await running('portless', 'sleep 1000', async () => {
    assert.is(await wolffia.output('port', 'portless'), '')
    failsWith(await wolffia.run(['port', 'portless', '80']), 1, /no public port '80\/tcp' published for portless/)
    failsWith(await wolffia.run(['port', 'portless', '53/udp']), 1, /'53\/udp'/)
    failsWith(await wolffia.run(['port', 'portless', 'http']), 1, /invalid port: http/)
  })
  failsWith(await wolffia.run(['port', 'nosuch']), 1, /no such container/)
})

native('ps -s shows what each has written, and that with its image', async () => {
  await running('sized', 'head -c 12345 /dev/zero > /big; echo > /end; exec sleep 1000', async () => {
    await untilWritten('sized', '/end')
    assert.match(await wolffia.output('ps', '-s'), /NAMES +SIZE\n.*sized +12\.3kB \(virtual [\d.]+MB\)\n$/)
    assert.match(await wolffia.output('ps', '--format', '{{.Size}}'), /^12\.3kB \(virtual/)
    assert.not.match(await wolffia.output('ps'), /SIZE/)
  })
})

/** What a command has printed that is sent a signal after so many lines. */
async function stoppedAfter(words: readonly string[], lines: number, signal: NodeJS.Signals): Promise<{ code: unknown; stdout: string }> {
  const child = wolffia.start(words)
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  for (let attempt = 0; stdout.split('\n').length <= lines && attempt < 1000; attempt++) await sleep(20)
  child.kill(signal)
  const [code, by] = await once(child, 'close')
  return { code: code ?? by, stdout }
}

native('events are followed while containers, images and volumes come and go', async () => {
  await wolffia.busybox()
  const following = wolffia.start(['events', '--filter', 'type=container', '--filter', 'type=volume', '--filter', 'type=image'])
  let seen = ''
  following.stdout.setEncoding('utf8').on('data', (text) => {
    seen += text
  })
  for (let attempt = 0; attempt < 100 && !seen.includes('marker'); attempt++) await wolffia.output('tag', 'busybox', 'marker:1')
  const id = (
    await wolffia.output('run', '-d', '--name', 'eventful', '-v', 'kept:/kept', '-l', 'a=b', 'busybox', 'sh', '-c', 'exit 3')
  ).trim()
  await wolffia.output('wait', 'eventful')
  await wolffia.output('rename', 'eventful', 'renamed')
  await wolffia.output('rm', 'renamed')
  await wolffia.output('volume', 'rm', 'kept')
  await wolffia.output('tag', 'busybox', 'second:1')
  await wolffia.output('rmi', 'second:1')
  for (let attempt = 0; attempt < 400 && !/image untag/.test(seen); attempt++) await sleep(50)
  following.kill('SIGINT')
  await once(following, 'close')
  const lines = seen
    .trimEnd()
    .split('\n')
    .filter((line) => !line.includes('marker'))
  for (const line of lines)
    assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) (container|image|volume) \S+ \S+ \(.*\)$/)
  const told = lines.map((line) => line.split(' ').slice(1, 3).join(' '))
  const expected = ['volume create', 'container create', 'container start', 'container die', 'container rename', 'container destroy']
  assert.equal([...told].sort(), [...expected, 'volume destroy', 'image tag', 'image untag'].sort(), seen)
  assert.match(seen, new RegExp(`container start ${id} \\(a=b, image=busybox, name=eventful\\)`))
  assert.match(seen, /container die \w+ \(a=b, exitCode=3, image=busybox, name=eventful\)/)
  assert.match(seen, /image tag sha256:\w{64} \(name=second:1\)/)
  assert.match(seen, /volume create kept \(driver=local\)/)
})

native('events of the past are found by when, by filter, and in any form, and end with --until', async () => {
  const start = Date.now() / 1000
  await running('past', 'sleep 1000', async () => {
    const past = (...words: string[]) => wolffia.output('events', '--since', String(start), '--until', '0s', ...words)
    assert.match(await past(), /container create .*\n.*container start /)
    assert.match(await past('-f', 'event=start', '-f', 'container=past'), /^\S+ container start [^\n]*\n$/)
    assert.is(
      await past('-f', 'event=start', '--format', '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Scope}}'),
      'container start past local\n',
    )
    assert.is(JSON.parse(await past('-f', 'event=start', '--format', 'json')).Actor.Attributes.name, 'past')
    assert.is(await past('-f', 'type=volume'), '')
    assert.is(await wolffia.output('system', 'events', '--since', '2000-01-01', '--until', '2000-01-02'), '')
    const soon = Date.now()
    assert.is(await wolffia.output('events', '--since', '0s', '--until', `${(soon + 1500) / 1000}`), '')
    assert.ok(Date.now() > soon + 1400)
  })
  failsWith(await wolffia.run(['events', '--since', 'yesterday']), 1, /failed to parse value as time or duration: "yesterday"/)
  failsWith(await wolffia.run(['events', '-f', 'nosuch=x']), 1, /invalid filter 'nosuch'/)
  failsWith(await wolffia.run(['events', '-f', 'network=x']), 1, /network=… is not built yet/)
  failsWith(await wolffia.run(['events', '-f', 'type']), 125, /bad format of filter/)
  failsWith(await wolffia.run(['events', '--format', '{{']), 64, /template parsing error/)
})

native('info tells how many of what there are, and behind which walls', async () => {
  await running('counted', 'sleep 1000', async () => {
    await wolffia.output('create', '--name', 'waiting', 'busybox')
    const page = await wolffia.output('info')
    assert.match(
      page,
      /^Client:\n Version: [\s\S]*\nServer:\n Containers: 2\n {2}Running: 1\n {2}Paused: 0\n {2}Stopped: 1\n Images: \d+\n Server Version: /,
    )
    assert.match(
      page,
      / Walls:\n {2}native: can be used\n {2}wasm: [\s\S]* Id Map: \d+ ids?\b[\s\S]* CPUs: \d+\n Total Memory: [\d.]+GiB\n Name: /,
    )
    assert.ok(page.includes(` Name: ${hostname()}\n Root Dir: ${wolffia.home}\n`))
    await wolffia.output('pause', 'counted')
    assert.is(
      await wolffia.output('system', 'info', '-f', '{{.Containers}} {{.ContainersPaused}} {{.OSType}} {{.Wolffia.Walls.native}}'),
      '2 1 linux <no value>\n',
    )
    assert.is(JSON.parse(await wolffia.output('info', '-f', 'json')).DockerRootDir, wolffia.home)
    await wolffia.output('unpause', 'counted')
    await wolffia.output('rm', 'waiting')
  })
  failsWith(await wolffia.run(['info', '-f', '{{']), 64, /template parsing error/)
})

native('system df tells what takes how much, and system prune removes what is not used', async () => {
  await running(
    'user',
    'echo 1234 > /x; echo 123456789 > /data/y; echo > /end; exec sleep 1000',
    async () => {
      await untilWritten('user', '/end')
      const rows = (await wolffia.output('system', 'df', '--format', 'json'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      assert.equal(
        rows.map(({ Type }) => Type),
        ['Images', 'Containers', 'Local Volumes', 'Build Cache'],
      )
      const [images, containers, volumes] = rows
      assert.equal([images.Active, containers.TotalCount, containers.Active, containers.Size], ['1', '1', '1', '6B'])
      assert.equal([volumes.TotalCount, volumes.Active, volumes.Size, volumes.Reclaimable], ['1', '1', '10B', '0B (0%)'])
      assert.match(
        await wolffia.output('system', 'df'),
        /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages [\s\S]*\nBuild Cache +0 +0 +0B +0B\n$/,
      )
      const page = await wolffia.output('system', 'df', '-v')
      assert.match(
        page,
        /^Images space usage:\n\nREPOSITORY [\s\S]*\nContainers space usage:\n\nCONTAINER ID [\s\S]* 1 +6B [\s\S]*\nVOLUME NAME +LINKS +SIZE\nmine +1 +10B\n/,
      )
      assert.is(JSON.parse(await wolffia.output('system', 'df', '-v', '--format', 'json')).Volumes[0].Name, 'mine')
      await wolffia.output('stop', '-t', '0', 'user')
      const asked = await wolffia.run(['system', 'prune'], { input: 'n\n' })
      assert.equal([asked.code, /all stopped containers\n {2}- all dangling images/.test(asked.stdout)], [1, true])
      const pruned = await wolffia.output('system', 'prune', '-f', '--volumes')
      assert.match(pruned, /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 6B\n$/)
      assert.is(await wolffia.output('volume', 'ls', '-q'), 'mine\n')
    },
    '-v',
    'mine:/data',
  )
  failsWith(await wolffia.run(['system', 'df', '--format', '{{.Nosuch}}']), 1, /Nosuch/)
})

native('the group image has the commands of images', async () => {
  await wolffia.busybox()
  assert.is(await wolffia.output('image', 'ls', '-q'), await wolffia.output('images', '-q'))
  await wolffia.output('image', 'tag', 'busybox', 'grouped')
  await wolffia.output('create', '--name', 'grouped', 'busybox')
  assert.ok(JSON.parse(await wolffia.output('image', 'inspect', 'grouped'))[0].RepoTags.includes('grouped:latest'))
  await wolffia.output('rm', 'grouped')
  assert.match(await wolffia.output('image', 'rm', 'grouped'), /Untagged: grouped:latest/)
  assert.match(await wolffia.output('image'), /Commands:[\s\S]*\bls\b/)
  failsWith(await wolffia.run(['volume', 'update', 'x']), 1, /`volume update` is not built yet/)
  failsWith(await wolffia.run(['image', 'nosuch']), 1, /unknown command: image nosuch/)
  failsWith(await wolffia.run(['system', 'nosuch']), 1, /unknown command: system nosuch/)
})

test('nothing is left', () => wolffia.end())

test.run()
