
/*
 * Shared memory as one process has it, for what needs nginx's: no locks, the
 * slab is malloc(), and the trees are not balanced.
 */


#include <ngx_config.h>
#include <ngx_core.h>


static uint32_t  shm_crc32[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
    0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
    0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
};


uint32_t             *ngx_crc32_table_short = shm_crc32;
volatile ngx_msec_t   ngx_current_msec;


ngx_shm_zone_t *
ngx_shared_memory_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    return NULL;
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
}


void *
ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size)
{
    return malloc(size);
}


void *
ngx_slab_calloc_locked(ngx_slab_pool_t *pool, size_t size)
{
    return calloc(1, size);
}


void
ngx_slab_free_locked(ngx_slab_pool_t *pool, void *p)
{
    free(p);
}


ngx_int_t
ngx_memn2cmp(u_char *s1, u_char *s2, size_t n1, size_t n2)
{
    int  rc;

    rc = memcmp(s1, s2, ngx_min(n1, n2));

    return rc ? rc : (n1 > n2) - (n1 < n2);
}


void
ngx_rbtree_insert_value(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t  **p;

    for ( ;; ) {
        p = (node->key < temp->key) ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    if (tree->root == tree->sentinel) {
        node->parent = NULL;
        node->left = tree->sentinel;
        node->right = tree->sentinel;
        tree->root = node;
        return;
    }

    tree->insert(tree->root, node, tree->sentinel);
}


/* the children of a node that goes are put in anew, one below the other */

void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  *child, *last;

    child = node->left;

    if (child == tree->sentinel) {
        child = node->right;

    } else if (node->right != tree->sentinel) {
        for (last = child; last->right != tree->sentinel; last = last->right) {
            /* void */
        }

        last->right = node->right;
        node->right->parent = last;
    }

    if (node->parent == NULL) {
        tree->root = child;

    } else if (node->parent->left == node) {
        node->parent->left = child;

    } else {
        node->parent->right = child;
    }

    if (child != tree->sentinel) {
        child->parent = node->parent;
    }
}
