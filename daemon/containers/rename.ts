import { ApiError, invalidParameter } from '../../api-spec/errors.js';
import type { Container } from './container.js';
import { containerEvent, save } from './context.js';
import type { Context } from './context.js';
import { checkName } from './validate.js';

/** Before the reason why a new name cannot be had. */
const prefix = 'Error when allocating new name: ';

/** Gives a container another name; `ApiError` 400 or 409 in Docker's words. Durable. */
export async function renameContainer(
  context: Context,
  container: Container,
  given: string,
): Promise<void> {
  const name = given.replace(/^\//, '');
  if (given === '') throw invalidParameter('Neither old nor new names may be empty');
  checkName(name, { given: `/${name}`, prefix });
  await container.lock.run(async () => {
    const { record } = container;
    if (name === record.name) {
      throw invalidParameter('Renaming a container with the same name as its current name');
    }
    reserve(context, name, record.id);
    const renamed = { ...record, name };
    try {
      await save(context, container, renamed, {
        durability: 'full',
        events: [containerEvent(renamed, 'rename', { oldName: `/${record.name}` })],
      });
    } catch (error) {
      context.book.releaseName(name);
      throw error;
    }
    context.book.releaseName(record.name);
  });
}

function reserve(context: Context, name: string, id: string): void {
  try {
    context.book.reserveName(name, id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError(error.kind, prefix + error.message, { cause: error });
  }
}
