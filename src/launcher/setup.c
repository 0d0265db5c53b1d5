#include "setup.h"

void setup_clear(struct setup *setup) {
  setup->output_limit = setup->time_limit = SETUP_NO_LIMIT;
  setup->proc = setup->root = setup->staging = setup->upper = setup->work = -1;
  setup->master = setup->mask_file = setup->mask_folder = setup->tree_source = setup->tree = setup->joined_process = -1;
  setup->listener = setup->later = setup->status = setup->holder_process = setup->memory = -1;
}
