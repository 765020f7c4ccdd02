#include <sqlite3.h>

#include "vault.h"

int godwit_sqlite_configure(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
