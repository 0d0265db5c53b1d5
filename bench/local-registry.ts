import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import * as http from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasProgram } from './has-program.js'
import { require } from './unavailable.js'
import type { Workbench } from './workbench.js'

/** Debian's docker-registry on loopback, over plain HTTP and without a password: what is measured is its clients. */
export interface LocalRegistry {
  readonly host: string
  /** Has it forget everything. */
  clear(): Promise<void>
}

/** Starts one for a run, over a folder of its own; those of different names know nothing of each other. */
export function localRegistry(workbench: Workbench, name: string): Promise<LocalRegistry> {
  return workbench.once(`registry ${name}`, async () => {
    require(hasProgram('docker-registry'), 'docker-registry is not installed')
    const contents = join(workbench.directory, `registry-${name}`)
    await mkdir(contents)
    const host = `127.0.0.1:${await freePort()}`
    const configuration = {
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: contents } },
      http: { addr: host },
    }
    // JSON is YAML.
    const path = await workbench.file(`registry-${name}.yml`, JSON.stringify(configuration))
    const child = spawn('docker-registry', ['serve', path], { stdio: 'ignore' })
    workbench.atEnd(async () => {
      if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
    })
    while (!(await answers(host))) {
      require(child.exitCode === null, `docker-registry ended with ${child.exitCode}`)
      await sleep(20)
    }
    return { host, clear: () => rm(join(contents, 'docker'), { recursive: true, force: true }) }
  })
}

function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    http
      .get(`http://${host}/v2/`, { agent: false }, (response) => resolve(response.resume().statusCode === 200))
      .on('error', () => resolve(false))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
