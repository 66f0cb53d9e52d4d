// The recurrence in bfloat16 on GPUs whose blocks of threads can share their memory (Hopper and later).
//
// What takes time in `kernels.py` is to read the matrix anew at every step. Here four blocks take 32 to 64
// sequences (ROWS) of a network through all steps together. Each keeps a quarter of the matrix, 128 columns, in
// its registers, computes these columns of the next state, and hands them to the three others. So a step moves
// nothing but states.
//
// Rows of states and of the matrix are P numbers long, as there; bfloat16 is a u16 here.

typedef unsigned int u32;
typedef unsigned short u16;

#define P 512
#define BLOCKS 4
#define COLUMNS (P / BLOCKS)
#define THREADS 256
#define STRIDE (P + 8)  // of the rows in shared memory: eight of them begin in different banks
#define DEEP (P / 16)   // steps of a product, 16 of the inner dimension each
#define HIGH (ROWS / 16)  // tiles of 16 sequences

// ---------------------------------------------------------------- what the hardware does

__device__ __forceinline__ u32 shared(const u16* p) { return (u32)__cvta_generic_to_shared(p); }

// A tile of 16 x 16, whose rows the lanes point to.
__device__ __forceinline__ void load_tile(u32 (&a)[4], const u16* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3]) : "r"(shared(row)));
}

// c += a b, for tiles of 16 x 16 and 16 x 8, in float32.
__device__ __forceinline__ void multiply(float (&c)[4], const u32 (&a)[4], const u32 (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
                 "{%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ u32 pack(float low, float high) {
    u32 both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
}

__device__ __forceinline__ float low(u32 both) { return __uint_as_float(both << 16); }
__device__ __forceinline__ float high(u32 both) { return __uint_as_float(both & 0xffff0000u); }

// The same place in the shared memory of another of the four blocks.
__device__ __forceinline__ void send(u16* place, int block, uint4 v) {
    u32 there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(shared(place)), "r"(block));
    asm volatile("st.shared::cluster.v4.u32 [%0], {%1, %2, %3, %4};"
                 :: "r"(there), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

// All four blocks are here, and see what they sent each other.
__device__ __forceinline__ void meet() {
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// ---------------------------------------------------------------- the activation functions

__device__ __forceinline__ float activate(float x) {
#if defined(LEAKYRELU)
    return x > 0 ? x : SLOPE * x;
#elif defined(RELU)
    return x > 0 ? x : 0;
#elif defined(TANH)
    return tanhf(x);
#elif defined(SIGMOID)
    return 1 / (1 + expf(-x));
#endif
}

// g times the derivative, from y = activate(x).
__device__ __forceinline__ float derive(float g, float y) {
#if defined(LEAKYRELU)
    return y > 0 ? g : SLOPE * g;
#elif defined(RELU)
    return y > 0 ? g : 0;
#elif defined(TANH)
    return g * (1 - y * y);
#elif defined(SIGMOID)
    return g * y * (1 - y);
#endif
}

// ---------------------------------------------------------------- a block's part of a step

// Where a thread's numbers are: of tile (m, j) it has two pairs of neighbours, `half` 0 and 1, values 2 half and
// 2 half + 1 of four, which begin in this row and column of the block's part.
__device__ __forceinline__ int row_of(int m, int half) { return 16 * m + (threadIdx.x % 32) / 4 + 8 * half; }
__device__ __forceinline__ int column_of(int j) { return threadIdx.x / 32 * 16 + 8 * j + 2 * (threadIdx.x % 4); }

template <class F> __device__ __forceinline__ void for_each_pair(F action) {
    #pragma unroll
    for (int m = 0; m < HIGH; m++)
        #pragma unroll
        for (int j = 0; j < 2; j++)
            #pragma unroll
            for (int half = 0; half < 2; half++) action(m, j, half);
}

struct Place {
    int k, first, block;  // the network, the first of its sequences here, which of the four blocks this is
    int B;

    __device__ Place(int B) : k(blockIdx.y), first(blockIdx.x / BLOCKS * ROWS), block(blockIdx.x % BLOCKS), B(B) {}
    __device__ bool there(int row) const { return first + row < B; }
    // The row of a sequence in an array (K, steps, B, P).
    __device__ long long at(int t, int steps, int row) const {
        return (((long long)k * steps + t) * B + first + row) * P;
    }
};

// This block's columns of the matrix, whose rows and columns are exchanged: (P, P), column n at n * P.
__device__ __forceinline__ void load_matrix(u32 (&matrix)[DEEP][2][2], const u16* transposed, const Place& here) {
    transposed += ((long long)here.k * P + here.block * COLUMNS + threadIdx.x / 32 * 16) * P;
    #pragma unroll
    for (int d = 0; d < DEEP; d++)
        #pragma unroll
        for (int j = 0; j < 2; j++)
            #pragma unroll
            for (int i = 0; i < 2; i++) {
                int n = 8 * j + (threadIdx.x % 32) / 4, inner = 16 * d + 8 * i + 2 * (threadIdx.x % 4);
                matrix[d][j][i] = *(const u32*)(transposed + n * P + inner);
            }
}

__device__ __forceinline__ void product(float (&sum)[HIGH][2][4], const u16* states, const u32 (&matrix)[DEEP][2][2]) {
    for_each_pair([&](int m, int j, int half) { sum[m][j][2 * half] = sum[m][j][2 * half + 1] = 0; });
    const u16* row = states + threadIdx.x % 16 * STRIDE + threadIdx.x % 32 / 16 * 8;
    u32 tiles[2][HIGH][4];  // those of the next step are on their way
    #pragma unroll
    for (int d = -1; d < DEEP; d++) {
        if (d + 1 < DEEP)
            #pragma unroll
            for (int m = 0; m < HIGH; m++) load_tile(tiles[(d + 1) % 2][m], row + 16 * m * STRIDE + 16 * (d + 1));
        if (d >= 0)
            #pragma unroll
            for (int m = 0; m < HIGH; m++)
                #pragma unroll
                for (int j = 0; j < 2; j++) multiply(sum[m][j], tiles[d % 2][m], matrix[d][j]);
    }
}

// Two neighbouring numbers of each of the thread's rows, at its columns, from rows of a larger array.
__device__ __forceinline__ void load_pairs(
    u32 (&pairs)[HIGH][2][2], const u16* array, int t, int steps, const Place& here, int from
) {
    for_each_pair([&](int m, int j, int half) {
        int row = row_of(m, half), column = here.block * COLUMNS + column_of(j);
        bool wanted = here.there(row) && column + 1 >= from;
        pairs[m][j][half] = wanted ? *(const u32*)(array + here.at(t, steps, row) + column) : 0;
    });
}

__device__ __forceinline__ void put(u16* states, int m, int j, int half, u32 pair, const Place& here) {
    *(u32*)(states + row_of(m, half) * STRIDE + here.block * COLUMNS + column_of(j)) = pair;
}

// The whole part, eight numbers at a time: where the n-th eight of a thread are, as row and column.
constexpr int EACH = ROWS * COLUMNS / 8 / THREADS;
__device__ __forceinline__ int row_of_eight(int n) { return (threadIdx.x + n * THREADS) / (COLUMNS / 8); }
__device__ __forceinline__ int column_of_eight(int n) { return (threadIdx.x + n * THREADS) % (COLUMNS / 8) * 8; }

// Eight numbers to a step of an array in global memory.
__device__ __forceinline__ void store(u16* array, int t, int steps, int n, uint4 v, const Place& here) {
    int row = row_of_eight(n), column = here.block * COLUMNS + column_of_eight(n);
    if (here.there(row)) *(uint4*)(array + here.at(t, steps, row) + column) = v;
}

// What this block put into `states`: to the three others, and to a step of an array in global memory. The blocks
// do not wait for the latter: it comes after they met.
__device__ __forceinline__ void hand_on(u16* states, u16* array, int t, int steps, const Place& here) {
    uint4 v[EACH];
    __syncthreads();
    #pragma unroll
    for (int n = 0; n < EACH; n++) {
        u16* place = states + row_of_eight(n) * STRIDE + here.block * COLUMNS + column_of_eight(n);
        v[n] = *(uint4*)place;
        #pragma unroll
        for (int other = 1; other < BLOCKS; other++) send(place, (here.block + other) % BLOCKS, v[n]);
    }
    meet();
    #pragma unroll
    for (int n = 0; n < EACH; n++) store(array, t, steps, n, v[n], here);
}

__device__ __forceinline__ void put_zeros(u16* array, int t, int steps, const Place& here) {
    for (int n = 0; n < EACH; n++) store(array, t, steps, n, make_uint4(0, 0, 0, 0), here);
}

// ---------------------------------------------------------------- the two passes

// All states into x (K, T + 1, B, P), from the first and the inputs beside them (columns H and on); 0 after the end.
extern "C" __global__ __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 1)
void forward(u16* x, const u16* transposed, const int* lengths, int T, int B, int H) {
    extern __shared__ __align__(16) u16 states[];  // two of (ROWS, STRIDE): one is read while the other is filled
    const Place here(B);
    const int end = lengths[here.k];
    u32 matrix[DEEP][2][2];
    load_matrix(matrix, transposed, here);
    for (int i = threadIdx.x; i < ROWS * P / 8; i += THREADS) {
        int row = i / (P / 8), column = i % (P / 8) * 8;
        uint4 v = make_uint4(0, 0, 0, 0);
        if (here.there(row)) v = *(uint4*)(x + here.at(0, T + 1, row) + column);
        *(uint4*)(states + row * STRIDE + column) = v;
    }
    __syncthreads();
    meet();
    for (int t = 0; t < end; t++) {
        u32 inputs[HIGH][2][2];
        load_pairs(inputs, x, t + 1, T + 1, here, H);
        float sum[HIGH][2][4];
        product(sum, states + t % 2 * ROWS * STRIDE, matrix);
        u16* next = states + (t + 1) % 2 * ROWS * STRIDE;
        for_each_pair([&](int m, int j, int half) {
            int column = here.block * COLUMNS + column_of(j);
            float a = activate(sum[m][j][2 * half]), b = activate(sum[m][j][2 * half + 1]);
            u32 in = inputs[m][j][half];
            put(next, m, j, half, pack(column < H ? a : low(in), column + 1 < H ? b : high(in)), here);
        });
        hand_on(next, x, t + 1, T + 1, here);
    }
    for (int t = end; t < T; t++) put_zeros(x, t + 1, T + 1, here);
}

// All G(t) into G (K, T, B, P), from grad (K, B, H), that of the last states; 0 after the end.
extern "C" __global__ __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 1)
void backward(
    const u16* x, const u16* transposed, const float* grad, u16* G, const int* lengths, int T, int B, int H
) {
    extern __shared__ __align__(16) u16 states[];
    const Place here(B);
    const int end = lengths[here.k];
    u32 matrix[DEEP][2][2], y[HIGH][2][2];
    load_matrix(matrix, transposed, here);
    float back[HIGH][2][4];
    for_each_pair([&](int m, int j, int half) {
        int row = row_of(m, half), column = here.block * COLUMNS + column_of(j);
        const float* there = grad + ((long long)here.k * B + here.first + row) * H + column;
        back[m][j][2 * half] = here.there(row) && column < H ? there[0] : 0;
        back[m][j][2 * half + 1] = here.there(row) && column + 1 < H ? there[1] : 0;
    });
    load_pairs(y, x, end, T + 1, here, 0);
    meet();
    for (int t = end - 1; t >= 0; t--) {
        u16* now = states + t % 2 * ROWS * STRIDE;
        for_each_pair([&](int m, int j, int half) {
            u32 pair = y[m][j][half];
            float a = derive(back[m][j][2 * half], low(pair)), b = derive(back[m][j][2 * half + 1], high(pair));
            put(now, m, j, half, pack(a, b), here);
        });
        hand_on(now, G, t, T, here);
        if (t > 0) {
            load_pairs(y, x, t, T + 1, here, 0);
            product(back, now, matrix);
        }
    }
    for (int t = end; t < T; t++) put_zeros(G, t, T, here);
}
