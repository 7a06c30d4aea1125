// Every kernel, for the instruction set of the including file, and their table under the name CK_TABLE.
#include "math.h"
#include "elementwise.h"
#include "optimizers.h"
#include "cells.h"
#include "reductions.h"
#include "bf16.h"
#include "packing.h"
#include "packing_bf16.h"
#include "tiles.h"
#include "gemm.h"
#include "vector_product.h"
#include "checksum.h"

const ck_table CK_TABLE = {
    .pack = {pack_, pack_bf16_},
    .gemm = gemm_,
    .gemv = gemv_,
    .column_sums = column_sums_,
    .exp = exp_,
    .log = log_,
    .tanh = tanh_,
    .sigmoid = sigmoid_,
    .relu = relu_,
    .add = add_,
    .multiply = multiply_,
    .multiply_add = multiply_add_,
    .scale = scale_,
    .tanh_backward = tanh_backward_,
    .sigmoid_backward = sigmoid_backward_,
    .relu_backward = relu_backward_,
    .lstm_forward = lstm_forward_,
    .lstm_backward = lstm_backward_,
    .gru_forward = gru_forward_,
    .gru_backward = gru_backward_,
    .rnn_forward = rnn_forward_,
    .rnn_backward = rnn_backward_,
    .embedding_backward = embedding_backward_,
    .cross_entropy = cross_entropy_,
    .softmax = softmax_,
    .log_softmax = log_softmax_,
    .dropout_mask = dropout_mask_,
    .sum = sum_,
    .squares_add = squares_add_,
    .squares_end = squares_end_,
    .adam = adam_,
    .amsgrad = amsgrad_,
    .sgd = sgd_,
    .rmsprop = rmsprop_,
    .checksum_add = checksum_add_,
    .are_finite = are_finite_,
    .fma_peak = fma_peak_,
};
