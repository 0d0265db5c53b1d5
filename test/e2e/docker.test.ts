/** Docker's command line cases with wolffia in docker's place, those of `run`; docker-real.long.ts asks a real one the same. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker', DOCKER_CASES.running)

test.run()
