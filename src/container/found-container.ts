import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError, messageOf } from '../errors.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt } from '../runtime/receipt.js'
import type { Attachment, RunningTask, TerminalSize } from '../runtime/runtime.js'
import { throwIfAborted } from './abortable.js'
import type { Container, ContainerStatus, ContainerSummary, RemoveOptions, StartOptions, StopOptions, WaitCondition } from './container.js'
import { afterCheck, HEALTH_FILE, makeCheck, parseHealth } from './health.js'
import { actorOf } from './hooks.js'
import { type ContainerRecord, endedRecord, isGone, isOwned, isTaskAlive, RECEIPT_FILE, summaryOf } from './record.js'
import { RecordedContainer } from './recorded-container.js'
import { ranSoundly, restartDelayMs, shouldRestart } from './restart.js'
import { startRecorded } from './start.js'

const POLL_MS = 20
/** The end of a guest that was removed while it ran. */
const KILLED: ExitStatus = { exitCode: 137, signal: 'SIGKILL', reason: 'signaled', durationMs: 0 }
/** Of what `stop` finds no guest of: its end is known, or about to be. */
const HAS_RUN: ReadonlySet<string> = new Set(['running', 'restarting'])
/** How long a guest that was sent SIGKILL may take to be gone, and its owner to write that down. */
const KILL_TIMEOUT_MS = 10_000
/** How long its owner may take to write that down. */
const OWNER_TIMEOUT_MS = 2_000

/** A container that is not this process's own: known by its record and its processes alone, held by its launcher while it runs. */
export class FoundContainer extends RecordedContainer implements Container {
  readonly stdin = null
  readonly stdout = null
  readonly stderr = null

  get status(): ContainerStatus {
    return this.summary().status
  }

  summary(): ContainerSummary {
    return this.state.summary(this.current())
  }

  async start(options: StartOptions = {}): Promise<Attachment | null> {
    return this.state.exclusively(this.id, async () => {
      const record = await this.#settled()
      if (record.status === 'running' || record.status === 'restarting') {
        if (record.paused) throw new EngineError('CONFLICT', 'cannot start a paused container, try unpause instead')
        return options.attach === true && record.status === 'running' ? (await this.mustRun()).attach() : null
      }
      if (isOwned(record)) throw new EngineError('CONFLICT', `container ${this.name} is about to be started by the process that made it`)
      return this.#begin({ ...record, restartCount: 0, restartFailures: 0 }, options)
    })
  }

  async wait({
    signal,
    condition = 'not-running',
  }: {
    readonly signal?: AbortSignal
    readonly condition?: WaitCondition
  } = {}): Promise<ExitStatus> {
    const before = this.current()
    // An end that has come already is not the next one.
    const isOld = (record: ContainerRecord) =>
      condition === 'next-exit' && before.status === 'exited' && record.startedAt === before.startedAt
    let last: ExitStatus | null = null
    for (;;) {
      throwIfAborted(signal)
      const record = this.state.read(this.id)
      if (record === null) {
        if (last !== null) return last
        // Who removes one that runs has killed it; only what removes itself is gone before its end could be read.
        if (before.status === 'running' && !before.autoRemove) return KILLED
        throw new EngineError('CONTAINER_NOT_FOUND', `container ${this.name} was removed before its end could be read`)
      }
      this.record = record
      const { status, exit } = summaryOf(record)
      if (status === 'exited' && !isOld(record)) {
        last = (isGone(record) ? await this.#settledExit() : exit) ?? last
        if (condition !== 'removed' && last !== null) return last
      }
      const running = status === 'running' || status === 'paused' ? await this.running() : null
      if (running !== null) await running.gone(signal)
      else await sleep(POLL_MS)
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.change(async (record) => {
      const running = await this.mustRun()
      const ends = signal === 'SIGKILL' || signal === record.settings.stopSignal
      // Said before it is sent: whoever hears of the end must not start it again.
      if (ends && !record.stopRequested) await this.state.write({ ...record, stopRequested: true })
      this.journal.add('kill', actorOf(record), { signal })
      await running.kill(signal)
      return {}
    })
  }

  async stop({ signal, timeoutMs }: StopOptions = {}): Promise<ExitStatus | null> {
    const record = this.current()
    const wait = timeoutMs ?? record.settings.stopTimeoutSeconds * 1000
    // Its end may still have to be dealt with by the command that starts it again.
    if (record.settings.restart.name !== 'no' && (await this.running()) === null) await this.change(async () => ({ stopRequested: true }))
    const running = await this.running()
    if (running === null) return HAS_RUN.has(record.status) ? this.wait() : summaryOf(this.current()).exit
    await this.kill(signal ?? record.settings.stopSignal).catch(ignoreItsEnd)
    if (record.paused) await this.unpause().catch(() => {})
    if (wait >= 0) await running.gone(AbortSignal.timeout(wait))
    else await running.gone()
    if ((await this.running()) !== null) await this.kill('SIGKILL').catch(ignoreItsEnd)
    const exit = await this.wait()
    this.journal.add('stop', actorOf(this.record))
    return exit
  }

  async restart(options: StopOptions = {}): Promise<void> {
    await this.stop(options)
    await this.start()
    this.journal.add('restart', actorOf(this.record))
  }

  detach(): Promise<void> {
    return Promise.reject(new EngineError('CONFLICT', `container ${this.name} is not held by this process`))
  }

  async resize(size: TerminalSize): Promise<void> {
    if (!this.spec.process.terminal) throw new EngineError('INVALID_ARGUMENT', `container ${this.name} has no terminal to resize`)
    await (await this.mustRun()).resize(size)
  }

  async receipt(): Promise<Receipt> {
    const text = this.state.readFile(this.id, RECEIPT_FILE)
    if (text === null) throw new EngineError('CONTAINER_NOT_FOUND', `container ${this.name} has no receipt: it was never made ready to run`)
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new EngineError('CONTAINER_NOT_FOUND', `container ${this.name} has no receipt that can be read: it is damaged`, { cause })
    }
  }

  /**
   * What becomes of it after an end that nobody waited for: it is removed, or started again after a while, as it was made to be. For the
   * command that its launcher runs then.
   */
  async afterEnd(): Promise<void> {
    const record = await this.#settle()
    if (record.status !== 'exited' || record.exit === null) return
    if (record.autoRemove) return this.remove()
    if (!shouldRestart(record, record.exit)) return
    const failures = ranSoundly(record.exit) ? 0 : record.restartFailures
    let isDue = false
    await this.change(async (now) => {
      // Somebody may have started it again, or stopped it, before this had the lock once more.
      isDue = now.status === 'exited' && now.startedAt === record.startedAt && !now.stopRequested
      return isDue ? { status: 'restarting', owner: this.state.identity } : {}
    })
    if (!isDue) return
    await this.#pauseBeforeRestart(restartDelayMs(failures))
    await this.state.exclusively(this.id, async () => {
      const now = this.state.read(this.id)
      if (now === null || now.status !== 'restarting') return
      if (now.stopRequested) return this.state.write({ ...now, status: 'exited', owner: null })
      await this.#begin({ ...now, restartCount: now.restartCount + 1, restartFailures: failures + 1 }, {})
    })
  }

  /** One check of its health, for the command that its launcher runs again and again. */
  async checkHealth(): Promise<void> {
    const { settings, paused, startedAt } = this.current()
    if (settings.health === null || paused || (await this.running()) === null) return
    const before = parseHealth(this.state.readFile(this.id, HEALTH_FILE))
    const exec = await this.exec({ command: settings.health.test })
    const result = await makeCheck(exec, settings.health)
    const after = afterCheck(before, result, { check: settings.health, startedMs: Date.parse(startedAt ?? result.start) })
    await this.state.writeFile(this.id, HEALTH_FILE, JSON.stringify(after), { durable: false })
    if (after.status !== before.status) this.journal.add(`health_status: ${after.status}`, actorOf(this.record))
  }

  async remove(options: RemoveOptions = {}): Promise<void> {
    // Once more when somebody has started it in between.
    do await this.#endBeforeRemoval(options)
    while (!(await this.state.exclusively(this.id, () => this.#discard(options))))
  }

  async #endBeforeRemoval({ force = false }: RemoveOptions): Promise<void> {
    const record = this.state.read(this.id)
    if (record === null || !(isOwned(record) || isTaskAlive(record))) return
    if (!force) {
      const { status } = summaryOf(record)
      throw new EngineError('CONFLICT', `container ${this.name} is ${status === 'created' ? 'about to run' : status}`, {
        hint: `Stop it first, or remove it with force, which kills it: wolffia rm -f ${this.name}`,
      })
    }
    if (record.status === 'restarting') await this.change(async () => ({ stopRequested: true }))
    // Of one that was about to be started again: it may just have been.
    if (record.outlives) await this.kill('SIGKILL').catch(ignoreItsEnd)
    else await (await this.running())?.kill('SIGKILL')
    await this.#untilGone()
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  protected running(): Promise<RunningTask | null> {
    return this.wall.open(this.id, this.state.directoryOf(this.id))
  }

  async #begin(record: ContainerRecord, options: StartOptions): Promise<Attachment | null> {
    const parts = { state: this.state, layers: this.layers, journal: this.journal, runtime: this.wall }
    try {
      const { record: running, attachment } = await startRecorded(parts, record, options)
      this.record = running
      return attachment
    } finally {
      this.current()
    }
  }

  /** Sleeps, unless somebody wants it to stop meanwhile. */
  async #pauseBeforeRestart(milliseconds: number): Promise<void> {
    for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(Math.min(100, Math.max(1, end - Date.now())))) {
      const record = this.state.read(this.id)
      if (record === null || record.stopRequested) return
    }
  }

  /** False when it has to be ended first, by force. The caller holds the lock. */
  async #discard({ force = false, volumes = false }: RemoveOptions): Promise<boolean> {
    const record = this.state.read(this.id)
    if (record !== null && !force && (isOwned(record) || isTaskAlive(record)))
      throw new EngineError('CONFLICT', `container ${this.name} has been started meanwhile`)
    // An owner that writes nothing down is not waited for; a guest that runs would be left to nobody.
    if (record !== null && isTaskAlive(record)) return false
    const directory = this.state.directoryOf(this.id)
    try {
      await this.wall.discard(this.id, directory)
      await this.removeRecord({ volumes: volumes || this.record.autoRemove })
      this.journal.add('destroy', actorOf(record ?? this.record))
      return true
    } catch (cause) {
      if (cause instanceof EngineError) throw cause
      throw new EngineError('CONFLICT', `container ${this.name} cannot be removed: ${messageOf(cause)}`, {
        cause,
        hint: `See what stands in the way in ${directory}, and remove the container again.`,
      })
    }
  }

  /**
   * Waits until the owner has written the end, removed the container, or is gone together with the guest. An owner that does nothing of
   * this is stopped (^Z) or waits for whoever reads its output: once the guest is dead it is not waited for long.
   */
  async #untilGone(): Promise<void> {
    const start = Date.now()
    for (; Date.now() < start + KILL_TIMEOUT_MS; await sleep(POLL_MS / 4)) {
      const record = this.state.read(this.id)
      if (record === null || !(isOwned(record) || isTaskAlive(record))) return
      const isDead = record.status === 'running' && !isTaskAlive(record)
      if (isDead && Date.now() > start + OWNER_TIMEOUT_MS) return
    }
    throw new EngineError('CONFLICT', `container ${this.name} was killed but does not end`, { data: { id: this.id } })
  }

  /** The end of the last run; null when somebody has removed it in this moment. */
  async #settledExit(): Promise<ExitStatus | null> {
    try {
      return (await this.#settle()).exit
    } catch (error) {
      ignoreItsEnd(error)
      return null
    }
  }

  #settle(): Promise<ContainerRecord> {
    return this.state.exclusively(this.id, () => this.#settled())
  }

  /** The record, with the end of a run that nobody waited for. The caller holds the lock. */
  async #settled(): Promise<ContainerRecord> {
    const record = this.state.read(this.id)
    if (record === null) throw this.removed()
    this.record = record
    if (!isGone(record)) return record
    this.record = endedRecord(record, await this.wall.lastEnd(this.state.directoryOf(this.id), record.spec))
    await this.state.write(this.record)
    return this.record
  }
}

function ignoreItsEnd(error: unknown): void {
  if (!(error instanceof EngineError && (error.code === 'CONFLICT' || error.code === 'CONTAINER_NOT_FOUND'))) throw error
}
