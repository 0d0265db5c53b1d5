import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { compileGuest, GUEST_FOLDER } from '../compile-guest.js'
import type { Workbench } from '../workbench.js'
import type { Column } from './column.js'
import { nanoseconds } from './work.js'

const GUEST = `${GUEST_FOLDER}/net`

/** What a guest's network costs, where it has one: its own loopback, and the host's where that is within reach. Nothing leaves the machine. */
export function networks(quick: boolean): readonly Column[] {
  const [mebibytes, turns] = quick ? [8, 200] : [256, 5_000]
  return [
    column('network', `MiB over the guest's own loopback (${mebibytes})`, async () => ['stream', String(mebibytes)]),
    column('network-turn', "a byte there and back over the guest's own loopback", async () => ['turns', String(turns)], turns),
    column(
      'host-network-turn',
      "a byte there and back to a server on the host's loopback",
      async (workbench) => ['host', String(await serverPort(workbench)), String(turns)],
      turns,
    ),
  ]
}

function column(name: string, summary: string, wordsOf: (workbench: Workbench) => Promise<readonly string[]>, parts = 1): Column {
  return {
    name,
    summary,
    unit: 'ms',
    rounds: 6,
    quickRounds: 1,
    open: async ({ workbench, talk, workCommand }) => {
      const words = [GUEST, ...(await wordsOf(workbench))]
      return async () => nanoseconds((await talk(words, { command: workCommand })).output) / 1e6 / parts
    },
  }
}

/** The same server for every mode, without a wall. */
function serverPort(workbench: Workbench): Promise<number> {
  return workbench.once('network server', async () => {
    const { nativePath } = await compileGuest(workbench, 'net')
    const server = spawn(nativePath, ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] })
    workbench.atEnd(async () => {
      const ended = once(server, 'close')
      server.stdin.end()
      await ended
    })
    for await (const line of createInterface({ input: server.stdout })) return Number(line)
    throw new Error('the server told no port')
  })
}
