/* The table of keys, and the way to the system that looks into it when SQLite opens a file. */
#include "vault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "store.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static vault_store *stores;
static sqlite3_vfs vault;
static sqlite3_vfs *system_vfs;

void vault_enter(void) { pthread_mutex_lock(&mutex); }
void vault_leave(void) { pthread_mutex_unlock(&mutex); }

static vault_store *find(const char *path) {
    vault_store *store = stores;
    while (store != NULL && strcmp(store->path, path) != 0) store = store->next;
    return store;
}

/* Inside the mutex. */
static void release(vault_store *store) {
    store->owners -= 1;
    if (store->owners > 0) return;
    vault_store **link = &stores;
    while (*link != store) link = &(*link)->next;
    *link = store->next;
    godwit_vault_key_free(store->key);
    free(store->path);
    free(store);
}

/* MARK: Opening */

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *result) {
    vault_file *own = (vault_file *)file;
    const char *database = NULL;
    (void)vfs;
    if (name != NULL && (flags & SQLITE_OPEN_MAIN_DB)) database = name;
    if (name != NULL && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)))
        database = sqlite3_filename_database(name);
    vault_enter();
    vault_store *store = database != NULL ? find(database) : NULL;
    int is_journal = (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0;
    int is_refused = store != NULL && (store->is_dropped || (is_journal && !store->is_new));
    if (store != NULL && !is_refused) store->owners += 1;
    vault_leave();
    file->pMethods = NULL;
    if (is_refused) return SQLITE_CANTOPEN;
    if (store == NULL) {
        int code = system_vfs->xOpen(system_vfs, name, file, flags, result);
        if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB)) godwit_clean_writes(file);
        return code;
    }
    memset(own, 0, sizeof *own);
    own->store = store;
    own->real = (sqlite3_file *)(own + 1);
    int code = system_vfs->xOpen(system_vfs, name, own->real, flags, result);
    if (code == SQLITE_OK) {
        own->base.pMethods = is_journal                 ? &vault_journal_methods
                             : flags & SQLITE_OPEN_WAL ? &vault_log_methods
                                                       : &vault_database_methods;
    } else {
        if (own->real->pMethods != NULL) own->real->pMethods->xClose(own->real);
        vault_enter();
        release(store);
        vault_leave();
    }
    return code;
}

int godwit_vault_register(void) {
    int code = SQLITE_OK;
    vault_enter();
    if (system_vfs == NULL) {
        sqlite3_vfs *found = sqlite3_vfs_find(NULL);
        if (found == NULL) code = SQLITE_ERROR;
        else {
            /* All but opening is the system's own; its functions look at nothing of this that is not copied. */
            vault = *found;
            vault.pNext = NULL;
            vault.zName = "godwit-vault";
            vault.szOsFile = (int)sizeof(vault_file) + found->szOsFile;
            vault.xOpen = open_file;
            system_vfs = found;
            code = sqlite3_vfs_register(&vault, 1);
        }
    }
    vault_leave();
    return code;
}

/* MARK: Keys */

static char *full_path(const char *path) {
    char *full = malloc((size_t)system_vfs->mxPathname + 1);
    if (full == NULL) return NULL;
    int code = system_vfs->xFullPathname(system_vfs, path, system_vfs->mxPathname + 1, full);
    /* A link that was followed is told by another code than SQLITE_OK. */
    if ((code & 0xFF) == SQLITE_OK) return full;
    free(full);
    return NULL;
}

int godwit_vault_add(const char *path, const godwit_vault_key *key, int is_new) {
    int code = godwit_vault_register();
    if (code != SQLITE_OK) return code;
    vault_store *store = calloc(1, sizeof *store);
    if (store == NULL) return SQLITE_NOMEM;
    store->owners = 1;
    store->is_new = is_new;
    store->path = full_path(path);
    store->key = godwit_vault_key_copy(key);
    vault_enter();
    if (store->path == NULL || store->key == NULL) code = SQLITE_CANTOPEN;
    else if (find(store->path) != NULL) code = SQLITE_BUSY;
    if (code == SQLITE_OK) {
        store->next = stores;
        stores = store;
    }
    vault_leave();
    if (code == SQLITE_OK) return code;
    godwit_vault_key_free(store->key);
    free(store->path);
    free(store);
    return code;
}

void godwit_vault_drop(const char *path) {
    char *full = full_path(path);
    if (full == NULL) return;
    vault_enter();
    vault_store *store = find(full);
    if (store != NULL && !store->is_dropped) {
        store->is_dropped = 1;
        release(store);
    }
    vault_leave();
    free(full);
}

int godwit_vault_holds(void *connection) {
    int result = 0;
    return sqlite3_file_control(connection, "main", VAULT_IS_HELD, &result) == SQLITE_OK && result;
}

int godwit_vault_make_room(void *connection) {
    int extra = GODWIT_VAULT_EXTRA;
    return sqlite3_file_control(connection, "main", SQLITE_FCNTL_RESERVE_BYTES, &extra);
}

/* MARK: What is handed on */

int vault_close(sqlite3_file *file) {
    vault_file *own = (vault_file *)file;
    vault_index_unmap(file, 0);
    int code = own->real->pMethods->xClose(own->real);
    vault_enter();
    release(own->store);
    vault_leave();
    file->pMethods = NULL;
    return code;
}

int vault_sync(sqlite3_file *file, int flags) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xSync(real, flags);
}

int vault_lock(sqlite3_file *file, int level) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xLock(real, level);
}

int vault_unlock(sqlite3_file *file, int level) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xUnlock(real, level);
}

int vault_check_reserved(sqlite3_file *file, int *result) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xCheckReservedLock(real, result);
}

int vault_sector_size(sqlite3_file *file) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xSectorSize(real);
}

/* Without promises about the size or order of writes, which are other ones below. */
int vault_characteristics(sqlite3_file *file) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xDeviceCharacteristics(real)
           & (SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN);
}
