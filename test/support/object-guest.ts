/** A native guest for `contract/object-mounts`: the steps in a shell, its errors by the names that the Wasm guest gives them. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { NodeFsLike } from '../../src/fs/node-fs-like.js'
import type { CreateRequest, Task } from '../../src/runtime/runtime.js'
import type { ObjectMount } from '../../src/runtime/spec.js'
import type { RunWithObject } from '../contract/object-mounts.js'
import type { NativeWall } from './native-wall.js'
import { containerSpec, type SpecChange } from './specs.js'

/** A mount of an object, at /work unless said. */
export function objectMount(mount: Partial<ObjectMount> = {}): ObjectMount {
  return { type: 'fs', source: '/', destination: '/work', readonly: false, sizeBytes: 1 << 20, ...mount }
}

const quoted = (value: string | number) => `'${String(value).replaceAll("'", "'\\''")}'`

function shellStep([name, ...values]: readonly [string, ...(string | number)[]]): string {
  const [first = '', second = ''] = values.map(quoted)
  const commands: Readonly<Record<string, string>> = {
    cat: `cat ${first}`,
    list: `ls -a ${first}`,
    mkdir: `mkdir ${first}`,
    write: `printf %s ${second} > ${first}`,
    append: `printf %s ${second} >> ${first}`,
    rename: `mv -T ${first} ${second}`,
    unlink: `rm ${first}`,
    rmdir: `rmdir ${first}`,
    link: `ln ${first} ${second}`,
    symlink: `ln -s ${first} ${second}`,
    readlink: `readlink ${first}`,
    fill: `dd if=/dev/zero of=${first} bs=4096`,
  }
  const command = commands[name]
  if (command === undefined) throw new TypeError(`no step ${name}`)
  return `( ${command.replace(/^(?!printf)/, 'busybox ')} ) 2>&1`
}

/** One container with an object in it, and what happened. */
export interface ObjectRun {
  readonly task: Task
  readonly output: Promise<string>
}

let runs = 0

/** Makes a container that runs a shell script, with the object at /work; deleted when `body` is done. */
export async function withObject<Result>(
  { folder, runtime, rootfs }: NativeWall,
  script: string,
  volume: NodeFsLike,
  body: (run: ObjectRun) => Promise<Result>,
  { mount = {}, change = {}, request = {} }: { mount?: Partial<ObjectMount>; change?: SpecChange; request?: Partial<CreateRequest> } = {},
): Promise<Result> {
  const directory = join(folder, `objects-${++runs}`)
  mkdirSync(directory)
  const work = objectMount(mount)
  const spec = containerSpec({
    mounts: [work],
    ...change,
    process: { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'], ...change.process },
  })
  const objects = new Map([[work.destination, volume]])
  const task = await runtime.create({ id: `o${runs}`, directory, spec, rootfs, openStdin: false, objects, ...request })
  try {
    return await body({
      task,
      output: Promise.all([text(task.stdout), task.stderr === null ? '' : text(task.stderr)]).then((parts) => parts.join('')),
    })
  } finally {
    await task.delete()
    await runtime.discard('', directory)
  }
}

/** Runs a script to its end with the object at /work, and gives its output; what was left in the object is there then. */
export function runScript(
  wall: NativeWall,
  script: string,
  volume: NodeFsLike,
  options: Parameters<typeof withObject>[4] = {},
): Promise<{ readonly output: string; readonly detail: string | undefined; readonly exitCode: number }> {
  return withObject(
    wall,
    script,
    volume,
    async ({ task, output }) => {
      await task.start()
      const { exitCode, detail } = await task.wait()
      await task.settled()
      return { output: await output, exitCode, detail }
    },
    options,
  )
}

/** For the contract. */
export const runSteps =
  (withWall: (body: (wall: NativeWall) => Promise<void>) => Promise<void>): RunWithObject =>
  async (volume, steps, mount = {}) => {
    let seen = ''
    await withWall(async (wall) => {
      const script = [...steps.map((step) => shellStep(step as readonly [string, ...(string | number)[]])), 'exit 0'].join('\n')
      const { output, exitCode } = await runScript(wall, script, volume, { mount })
      assert.is(exitCode, 0, output)
      seen = output.replaceAll('Read-only file system', 'ROFS').replaceAll('No space left on device', 'NOSPC')
    })
    return seen
  }
