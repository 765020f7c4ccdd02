/*
 * The index of the write-ahead log, which SQLite keeps in a file beside the database: page numbers, and sums over what
 * the pages hold. Here it is in memory, so that nothing of it reaches the disk.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

/* SQLite's lock for reading the log anew (walformat, section 2.3.1). */
#define RECOVERY 2

int vault_index_map(sqlite3_file *file, int region, int size, int extend, void volatile **result) {
    vault_file *own = (vault_file *)file;
    vault_store *store = own->store;
    int code = SQLITE_OK;
    *result = NULL;
    vault_enter();
    if (!own->is_viewer) {
        own->is_viewer = 1;
        store->viewers += 1;
    }
    if (region >= store->region_count && extend) {
        void **more = realloc(store->regions, (size_t)(region + 1) * sizeof *more);
        if (more == NULL) code = SQLITE_NOMEM;
        else store->regions = more;
        while (code == SQLITE_OK && store->region_count <= region) {
            void *fresh = calloc(1, (size_t)size);
            if (fresh == NULL) code = SQLITE_NOMEM;
            else store->regions[store->region_count++] = fresh;
        }
    }
    if (code == SQLITE_OK && region < store->region_count) *result = store->regions[region];
    vault_leave();
    return code;
}

static void unlock(vault_file *own, unsigned slot) {
    unsigned bit = 1u << slot;
    if (own->alone & bit) own->store->locks[slot] = 0;
    else if (own->shared & bit) own->store->locks[slot] -= 1;
    own->alone &= ~bit;
    own->shared &= ~bit;
}

int vault_index_lock(sqlite3_file *file, int offset, int count, int flags) {
    vault_file *own = (vault_file *)file;
    int *locks = own->store->locks;
    int code = SQLITE_OK;
    vault_enter();
    for (int slot = offset; slot < offset + count; slot++) {
        unsigned bit = 1u << slot;
        if (flags & SQLITE_SHM_UNLOCK) unlock(own, (unsigned)slot);
        else if ((own->shared | own->alone) & bit) continue;
        else if (locks[slot] < 0 || ((flags & SQLITE_SHM_EXCLUSIVE) && locks[slot] > 0)) code = SQLITE_BUSY;
    }
    /* All of them or none. */
    for (int slot = offset; code == SQLITE_OK && (flags & SQLITE_SHM_LOCK) && slot < offset + count; slot++) {
        unsigned bit = 1u << slot;
        if ((own->shared | own->alone) & bit) continue;
        if (flags & SQLITE_SHM_EXCLUSIVE) {
            own->alone |= bit;
            locks[slot] = -1;
        } else {
            own->shared |= bit;
            locks[slot] += 1;
        }
    }
    vault_leave();
    return code;
}

void vault_index_barrier(sqlite3_file *file) {
    (void)file;
    __sync_synchronize();
    vault_enter();
    vault_leave();
}

int vault_index_unmap(sqlite3_file *file, int delete_it) {
    vault_file *own = (vault_file *)file;
    vault_store *store = own->store;
    (void)delete_it;
    vault_enter();
    for (unsigned slot = 0; slot < SQLITE_SHM_NLOCK; slot++) unlock(own, slot);
    if (own->is_viewer) {
        own->is_viewer = 0;
        store->viewers -= 1;
    }
    if (store->viewers == 0) {
        for (int region = 0; region < store->region_count; region++) free(store->regions[region]);
        free(store->regions);
        store->regions = NULL;
        store->region_count = 0;
    }
    vault_leave();
    return SQLITE_OK;
}

int vault_index_is_recovering(vault_store *store) {
    vault_enter();
    int result = store->locks[RECOVERY] < 0;
    vault_leave();
    return result;
}
