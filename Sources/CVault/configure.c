#include <sqlite3.h>

#include "store.h"
#include "vault.h"

int godwit_sqlite_configure(void) {
    int code = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int registered = godwit_vault_register();
    return code != SQLITE_OK ? code : registered;
}
